"""The command line: its words, and what its exit codes mean.

0: done and complete. 1: failed or incomplete. 2: wrong usage or configuration. 130: interrupted. 141: nobody reads what
is written any more. Only click and the standard library are imported here,
so that `--help` stays quick; each command imports what it works with.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import click

from ..errors import ConfigurationError, HubError, InvalidRefError
from ..version import __version__
from .accounts import Accounts, proxy
from .moments import moment, span
from .places import Place, database, place
from .streams import let_go, prepare

__all__ = ["cli"]


class _WrongSetup(click.ClickException):
    exit_code = 2


_LOG = "CONVERSATIONS_HUB_LOG"


def _log(ctx: click.Context, level: str) -> None:
    from logging import getLevelNamesMapping  # noqa: PLC0415

    from .log import show_log  # noqa: PLC0415  (few want to know)

    number = getLevelNamesMapping().get(level.upper())
    if number is None:
        raise click.UsageError(f"{_LOG} is {level!a}: there is debug, info, warning and error")
    ctx.call_on_close(show_log(number))


def _if_verbose(ctx: click.Context, _option: click.Parameter, is_verbose: bool) -> None:  # noqa: FBT001
    if is_verbose:
        _log(ctx, "debug")


_verbose = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_if_verbose,
    help="Say on standard error what is sent, waited for and read, without ids or content.",
)


class _Sentences(click.Group):
    """Ends with a sentence and an exit code, whatever goes wrong."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        prepare()
        if level := os.environ.get(_LOG):
            _log(ctx, level)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(130)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            lacks_extra = isinstance(error, ModuleNotFoundError) and error.name == "rich"
            if lacks_extra or (sys.flags.dev_mode and not isinstance(error, HubError | OSError)):
                raise
            if isinstance(error, OSError):
                let_go()
                if error.errno == errno.EPIPE:
                    ctx.exit(_NOBODY_READS)
            from .sentences import sentence  # noqa: PLC0415  (only for those who fail)

            kind = _WrongSetup if isinstance(error, ConfigurationError | InvalidRefError) else click.ClickException
            failure = kind(sentence(error))
        raise failure


_NOBODY_READS = 141  # what a shell shows of a tool that wrote to a pipe without a reader: 128 and SIGPIPE


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(
    cls=_Sentences,
    context_settings=_SETTINGS,
    epilog="New here? `conversations-hub demo` needs no key and no network.",
)
@_verbose
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """The conversations of every AI voice and video agent platform, in one form.

    Accounts are found in the environment, by <PROVIDER>_API_KEY, as in TAVUS_API_KEY, or in a TOML file (--config);
    `conversations-hub providers` names the providers and what more they need. CONVERSATIONS_HUB_LOG=debug says as much
    as -v.

    Exit codes: 0 done and complete, 1 failed or incomplete, 2 wrong usage or configuration, 130 interrupted,
    141 nobody reads the output any more, as behind `| head`.
    """


def _examples(*lines: str) -> str:
    return "\n".join(("\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)))


class _Number(click.FloatRange):
    """A number that is one: `nan` lies in every range, and nobody waits for ever."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value} is no number to count with", param, ctx)
        return number


class _Count(click.IntRange):
    """How many; more than any store can hold is as good as all."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        count: int = super().convert(value, param, ctx)
        return min(count, 2**63 - 1)


_count = _Count(min=0)
_share = _Number(0, 1)
_seconds = _Number(min=0)
_json = click.option("--json", "form", flag_value="json", help="Write JSON, a document per line.")
_ACCOUNTS = (
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="A TOML file with the accounts, in place of the environment.",
    ),
    click.option(
        "--proxy", type=proxy, metavar="URL", help="Reach providers through this HTTP proxy, as http://host:3128."
    ),
    click.option(
        "--proxy-from-env", is_flag=True, help="Through that of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."
    ),
    click.option(
        "--ca-file",
        type=click.Path(path_type=Path),
        help="A PEM file of certificates to trust beside the system's, such as those of a proxy that reads along.",
    ),
    _verbose,
)


def _accounts(command: Callable[..., object]) -> Callable[..., object]:
    """Give a command the options that say whose conversations it is about, and how they are reached, as one value."""

    @wraps(command)
    def with_accounts(
        *, config: Path | None, proxy: str | None, proxy_from_env: bool, ca_file: Path | None, **more: Any
    ) -> object:
        if proxy is not None and proxy_from_env:
            raise click.UsageError("--proxy and --proxy-from-env are two ways: give only one")
        return command(accounts=Accounts(config, proxy, proxy_from_env, ca_file), **more)

    for option in reversed(_ACCOUNTS):
        with_accounts = option(with_accounts)
    return with_accounts


_since = click.option(
    "--since", type=moment, help="From this instant on: 2026-11-20, 2026-11-20T09:30Z, or 90d, 12h, 30m ago."
)
_until = click.option("--until", type=moment, help="Up to this instant, itself left out.")
_STORE = "conversations.db"
_searched = click.option(
    "--store",
    type=database,
    default=_STORE,
    show_default=True,
    metavar="PLACE",
    help="The store: the path of a SQLite store, or parquet:FOLDER.",
)
_lookback = click.option(
    "--lookback",
    type=span,
    metavar="SPAN",
    help="Walk lists again from so far behind the end of the last sync: 2d, 90m; if not given, as suits each provider.",
)
_chats = click.option(
    "--chats",
    type=_count,
    help="How many chats, where a provider keeps them apart from calls; a quarter as many if not given.",
)
_seed = click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other conversations.")


@cli.command("demo", epilog=_examples("conversations-hub demo", "conversations-hub demo --conversations 90 --seed 7"))
@click.option("--conversations", type=_count, default=120, show_default=True, help="How many each provider has.")
@_chats
@_seed
@_json
def _demo(*, conversations: int, chats: int | None, seed: int, form: str | None) -> None:
    """Show what this does, on simulated providers.

    It needs no key and no network.
    """
    from .tour import tour  # noqa: PLC0415

    _end(
        is_good=tour(
            conversations=conversations, chats=_chats_beside(conversations, chats), seed=seed, as_json=form == "json"
        )
    )


@cli.command("providers", epilog=_examples("conversations-hub providers"))
@_json
@click.option("--markdown", "form", flag_value="markdown", help="Write a Markdown table.")
def _providers(*, form: str | None) -> None:
    """Show what each provider can do."""
    from .capabilities import write  # noqa: PLC0415

    write(form)


@cli.command(
    "list",
    epilog=_examples(
        "conversations-hub list --since 7d",
        "conversations-hub list anyreach --status failed --transcripts",
        "conversations-hub list --since 2026-11-01 --transcripts --json > all.jsonl",
    ),
)
@click.argument("targets", nargs=-1)
@_since
@_until
@click.option("--status", help="Only of this status: ended, failed, in_progress …")
@click.option("--agent", help="Only of the agent with this id.")
@click.option("--limit", type=_count, help="No more than so many, over all accounts.")
@click.option("--transcripts", is_flag=True, help="With transcripts, also where each takes a request of its own.")
@click.option(
    "--store", type=database, metavar="PLACE", help="Of this store, whole and the newest first; nobody is asked."
)
@_accounts
@_json
def _list(
    *,
    targets: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    agent: str | None,
    limit: int | None,
    transcripts: bool,
    store: Path | None,
    accounts: Accounts,
    form: str | None,
) -> None:
    """List conversations.

    Of all accounts, or of TARGETS such as tavus or tavus/eu. How complete the list is stands on standard error at the
    end.
    """
    if store is not None:
        from .stored import list_stored  # noqa: PLC0415

        as_json = form == "json"
        list_stored(store, targets, since=since, until=until, status=status, agent=agent, limit=limit, as_json=as_json)
        return
    from .reading import list_all  # noqa: PLC0415

    is_complete = list_all(
        targets,
        since=since,
        until=until,
        status=status,
        agent=agent,
        limit=limit,
        transcripts=transcripts,
        accounts=accounts,
        as_json=form == "json",
    )
    _end(is_good=is_complete)


@cli.command(
    "get", epilog=_examples("conversations-hub get tavus:c123456", "conversations-hub get anyreach:conv_9 --json")
)
@click.argument("ref")
@_json
@click.option("--raw", "form", flag_value="raw", help="Write what the provider sent, known secrets scrubbed.")
@click.option("--wait", type=span, metavar="SPAN", help="Wait so long for a transcript that is pending: 90s, 5m.")
@click.option("--store", type=database, metavar="PLACE", help="From this store; nobody is asked.")
@_accounts
def _get(*, ref: str, form: str | None, wait: timedelta | None, store: Path | None, accounts: Accounts) -> None:
    """Show one conversation with its transcript.

    REF is provider:id, or provider/account:id.
    """
    if store is not None:
        if wait is not None:
            raise click.UsageError("--wait is for a provider: a store is not asked again")
        from .stored import get_stored  # noqa: PLC0415

        get_stored(store, ref, form=form)
        return
    from .reading import get  # noqa: PLC0415

    get(ref, wait=wait or timedelta(), accounts=accounts, form=form)


@cli.command(
    "sync",
    epilog=_examples(
        "conversations-hub sync --since 90d",
        "conversations-hub sync tavus --store jsonl:tavus.jsonl --since 2026-11-01",
        "conversations-hub sync --follow --redact",
    ),
)
@click.argument("targets", nargs=-1)
@click.option("--provider", "providers", multiple=True, help="The same as a TARGET; may be repeated.")
@click.option(
    "--store",
    type=place,
    default=_STORE,
    show_default=True,
    metavar="PLACE",
    help="Where to: a path for SQLite, jsonl:PATH, or parquet:FOLDER.",
)
@_since
@_until
@_lookback
@click.option(
    "--again", is_flag=True, help="Fetch everything in the span again, whatever earlier runs did, and compare."
)
@click.option("--follow", is_flag=True, help="Go on, run after run, until stopped; what fails is tried again.")
@click.option("--every", type=_Number(min=1), help="Seconds between runs; 60 if not given.")
@click.option(
    "--redact", is_flag=True, help="Take e-mail addresses and phone, card and long numbers out before storing."
)
@click.option("--raw", is_flag=True, help="Keep what the providers sent as well, known secrets scrubbed.")
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Download recordings to here, too.",
)
@click.option("--any-host", is_flag=True, help="Take recordings from any public host, not only from the provider's.")
@click.option("--no-verify", is_flag=True, help="Walk each list once, though one that moves meanwhile may lose rows.")
@click.option("--keep", type=span, metavar="SPAN", help="Erase what is older, as in 180d, and fetch none of it.")
@_accounts
@_json
def _sync(
    *,
    targets: tuple[str, ...],
    providers: tuple[str, ...],
    store: Place,
    since: datetime | None,
    until: datetime | None,
    lookback: timedelta | None,
    again: bool,
    follow: bool,
    every: float | None,
    redact: bool,
    raw: bool,
    recordings: Path | None,
    any_host: bool,
    no_verify: bool,
    keep: timedelta | None,
    accounts: Accounts,
    form: str | None,
) -> None:
    """Bring a store up to date.

    Of all accounts, or of TARGETS such as tavus or tavus/eu: whatever is not there yet, what has changed, and what was
    not ready the last time. Stopped or killed, it goes on where it was.
    """
    if every is not None and not follow:
        raise click.UsageError("--every belongs to --follow")
    if any_host and recordings is None:
        raise click.UsageError("--any-host belongs to --recordings")
    from .syncing import Syncing  # noqa: PLC0415

    syncing = Syncing(
        targets=(*targets, *providers),
        place=store,
        accounts=accounts,
        since=since,
        until=until,
        verify=not no_verify,
        keep=keep,
        lookback=lookback,
        again=again,
        redact=redact,
        raw=raw,
        recordings=recordings,
        any_host=any_host,
        every=(every or 60.0) if follow else None,
        as_json=form == "json",
    )
    _end(is_good=syncing.run())


_recordings_of = click.option(
    "--recordings", type=click.Path(path_type=Path), help="Remove their files from this folder of recordings, too."
)
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
_sure = click.option("--yes", "sure", is_flag=True, help="Do not ask.")
_receipt = click.option(
    "--receipt", type=click.Path(path_type=Path), help="Write what was erased to this file, as JSON."
)
_store_of = click.option(
    "--store",
    type=place,
    default=_STORE,
    show_default=True,
    metavar="PLACE",
    help="A path for SQLite, or parquet:FOLDER.",
)


@cli.command(
    "erase",
    epilog=_examples(
        "conversations-hub erase tavus:c123456",
        "conversations-hub erase --phone '+1 555 010 2030' --dry-run",
        "conversations-hub erase --email ada@example.com --at-provider",
    ),
)
@click.argument("refs", nargs=-1)
@click.option("--phone", help="All conversations of the person with this number, in any spelling.")
@click.option("--email", help="All conversations of the person with this address.")
@click.option("--participant", help="All conversations of the participant with this id.")
@click.option("--at-provider", is_flag=True, help="Delete them at the provider, too, where its API can.")
@_store_of
@_recordings_of
@_dry_run
@_sure
@_receipt
@_accounts
@_json
def _erase(
    *,
    refs: tuple[str, ...],
    phone: str | None,
    email: str | None,
    participant: str | None,
    at_provider: bool,
    store: Place,
    recordings: Path | None,
    dry_run: bool,
    sure: bool,
    receipt: Path | None,
    accounts: Accounts,
    form: str | None,
) -> None:
    """Take conversations out of a store for good.

    Erased are those with the REFS, and all of a person. They are gone from its tables, its search index and its bytes,
    and no later sync brings them back. What others said about the person is listed and stays. Copies and backups of
    the store are yours to look after.
    """
    from .erasing import run_erase  # noqa: PLC0415

    is_done = run_erase(
        refs,
        store,
        phone=phone,
        email=email,
        participant=participant,
        recordings=recordings,
        at_provider=at_provider,
        dry_run=dry_run,
        sure=sure,
        receipt=receipt,
        as_json=form == "json",
        accounts=accounts,
    )
    if not is_done:
        sys.exit(1)


@cli.command(
    "prune", epilog=_examples("conversations-hub prune --keep 180d", "conversations-hub prune --keep 2026-01-01")
)
@click.option("--keep", type=moment, required=True, help="Erase what was before this: 180d, or 2026-01-01.")
@_store_of
@_recordings_of
@_dry_run
@_sure
@_receipt
@_json
def _prune(
    *,
    keep: datetime,
    store: Place,
    recordings: Path | None,
    dry_run: bool,
    sure: bool,
    receipt: Path | None,
    form: str | None,
) -> None:
    """Erase what is older than it is to be kept."""
    from .erasing import run_prune  # noqa: PLC0415

    is_done = run_prune(
        store, keep, recordings=recordings, dry_run=dry_run, sure=sure, receipt=receipt, as_json=form == "json"
    )
    if not is_done:
        sys.exit(1)


@cli.command(
    "search",
    epilog=_examples(
        "conversations-hub search refund",
        "conversations-hub search '\"credit card\" cancel*' --role user --since 30d",
    ),
)
@click.argument("words")
@_searched
@click.option("--provider", "providers", multiple=True, help="Only of this provider or account; may be repeated.")
@_since
@_until
@click.option(
    "--role", type=click.Choice(["user", "assistant", "human_agent", "system", "tool"]), help="Only what this one said."
)
@click.option("--status", help="Only of conversations of this status: ended, failed, in_progress …")
@click.option("--agent", help="Only of conversations of the agent with this id.")
@click.option("--anywhere", is_flag=True, help="The words may stand in different turns of a conversation.")
@click.option("--limit", type=_count, default=20, show_default=True, help="No more than so many turns.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out so many of the best.")
@_json
def _search(
    *,
    words: str,
    store: Path,
    providers: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    role: str | None,
    status: str | None,
    agent: str | None,
    anywhere: bool,
    limit: int,
    offset: int,
    form: str | None,
) -> None:
    """Find what was said, the best match first.

    All WORDS must have been said in one turn. Words "in quotes" count as they follow each other, and a star at the end
    finds every word that begins so. OR between two makes one of them enough; NOT before one leaves out what says it.
    """
    from .stored import search  # noqa: PLC0415

    has_hits = search(
        words,
        store,
        providers,
        since=since,
        until=until,
        role=role,
        status=status,
        agent=agent,
        anywhere=anywhere,
        limit=limit,
        offset=offset,
        as_json=form == "json",
    )
    _end(is_good=has_hits)


@cli.command(
    "export",
    epilog=_examples(
        "conversations-hub export november.csv --since 2026-11-01 --until 2026-12-01",
        "conversations-hub export all.parquet",
        "conversations-hub export jsonl:- tavus | jq .summary",
    ),
)
@click.argument("to")
@click.argument("targets", nargs=-1)
@_searched
@_since
@_until
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option(
    "--rows", type=click.Choice(["turns", "conversations"]), help="What has a line in a CSV; turns if not given."
)
@click.option(
    "--formulas", is_flag=True, help="Leave texts in a CSV that a spreadsheet takes for formulas, or would cut."
)
@_json
def _export(
    *,
    to: str,
    targets: tuple[str, ...],
    store: Path,
    since: datetime | None,
    until: datetime | None,
    overwrite: bool,
    formulas: bool,
    rows: Literal["turns", "conversations"] | None,
    form: str | None,
) -> None:
    """Write what is in a store to a file.

    Of everybody, or of TARGETS such as tavus or tavus/eu. The ending of TO tells the form: .jsonl or .csv, either with
    .gz, or .parquet, a folder of two tables, which needs the extra duckdb. jsonl:- and csv:- write
    to standard output.
    """
    from .exporting import export_store  # noqa: PLC0415

    export_store(
        store,
        to,
        targets,
        since=since,
        until=until,
        overwrite=overwrite,
        formulas=formulas,
        rows=rows,
        as_json=form == "json",
    )


@cli.command("plan", epilog=_examples("conversations-hub plan --since 90d", "conversations-hub plan tavus --json"))
@click.argument("targets", nargs=-1)
@click.option("--store", type=place, default=_STORE, show_default=True, metavar="PLACE", help="What there is already.")
@_since
@_until
@_lookback
@_accounts
@_json
def _plan(
    *,
    targets: tuple[str, ...],
    store: Place,
    since: datetime | None,
    until: datetime | None,
    lookback: timedelta | None,
    accounts: Accounts,
    form: str | None,
) -> None:
    """Show what a sync would take.

    How many requests, how long at the known limits, and what cannot be had. It reads the lists and at most three
    conversations of each account, and writes nothing.
    """
    from .planning import show_plan  # noqa: PLC0415

    is_good = show_plan(
        accounts,
        store.store() if store.is_there else None,
        targets,
        lookback=lookback,
        since=since,
        until=until,
        as_json=form == "json",
    )
    _end(is_good=is_good)


@cli.command(
    "status",
    epilog=_examples("conversations-hub status", "conversations-hub status --store jsonl:november.jsonl --json"),
)
@click.option(
    "--store",
    type=place,
    default=_STORE,
    show_default=True,
    metavar="PLACE",
    help="The store: a path for SQLite, jsonl:PATH, or parquet:FOLDER.",
)
@_json
def _status(*, store: Place, form: str | None) -> None:
    """Show what is in a store and how fresh it is.

    How many conversations of each account, from when to when, up to when its lists were walked, and what is pending,
    restricted, failing, given up or vanished. Nobody is asked.
    """
    from .status import show_status  # noqa: PLC0415

    show_status(store, as_json=form == "json")


@cli.command("doctor", epilog=_examples("conversations-hub doctor tavus", "conversations-hub doctor --json"))
@click.argument("targets", nargs=-1)
@_accounts
@_json
def _doctor(*, targets: tuple[str, ...], accounts: Accounts, form: str | None) -> None:
    """Examine the accounts.

    All of them, or those of TARGETS such as tavus or tavus/eu.
    Key, reachability, rights, clock and limits; and whether the provider still sends what its adapter knows: unknown
    and missing members, unknown words. It reads a page of the list and a few conversations, and changes nothing.
    """
    from .doctor import examine  # noqa: PLC0415

    _end(is_good=examine(targets, accounts=accounts, as_json=form == "json"))


@cli.command(
    "simulate",
    epilog=_examples(
        "conversations-hub simulate --port 8080",
        "conversations-hub simulate --latency 0.2 --outage 0.05",
        "conversations-hub simulate --webhooks-to http://127.0.0.1:8000/hooks",
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port to listen on; a free one if not given."
)
@click.option("--conversations", type=_count, default=300, show_default=True, help="How many each provider has.")
@_chats
@_seed
@click.option("--latency", type=_seconds, help="Seconds before each answer.")
@click.option("--jitter", type=_seconds, help="Up to so many seconds more.")
@click.option("--throttle", type=_share, help="Share of 429 with Retry-After, from 0 to 1.")
@click.option("--throttle-bare", type=_share, help="Share of 429 without.")
@click.option("--outage", type=_share, help="Share of 500, 502 and 503.")
@click.option("--reset", type=_share, help="Share of connections reset.")
@click.option("--truncate", type=_share, help="Share of bodies shorter than declared.")
@click.option("--slow", type=_share, help="Share of bodies that trickle in.")
@click.option("--slow-seconds", type=_seconds, help="How long such a body takes.")
@click.option("--retry-after", type=_count, help="Seconds a throttled client is told to wait.")
@click.option("--requests-per-second", type=_Number(), help="Rate per key, above which the answer is 429.")
@click.option("--webhooks-to", metavar="URL", help="Deliver every provider's events, signed, to URL/<provider>.")
@click.option("--duplicate", type=_share, help="Share of webhook deliveries that come twice.")
@click.option("--late", type=_share, help="Share of webhook deliveries that come late and out of order.")
@click.option("--late-seconds", type=_seconds, help="Up to how late.")
@click.option("--burst", type=click.IntRange(min=1), help="Requests per key that may come at once.")
@click.option(
    "--withheld", multiple=True, metavar="KIND", help="What keys have no right to, as vapi:chats; may be repeated."
)
@click.option(
    "--provider", "providers", multiple=True, help="Whom the faults hit; may be repeated; everybody otherwise."
)
@_json
def _simulate(
    *,
    host: str,
    port: int,
    conversations: int,
    chats: int | None,
    seed: int,
    webhooks_to: str | None,
    form: str | None,
    **faults: Any,
) -> None:
    """Serve every provider's API on this machine.

    To try things out and to test against. Any key is accepted; one that starts with "bad" is refused as the provider
    refuses it.
    """
    from .serving import serve  # noqa: PLC0415

    set_faults = {name: value for name, value in faults.items() if value is not None}
    serve(
        host=host,
        port=port,
        conversations=conversations,
        chats=_chats_beside(conversations, chats),
        seed=seed,
        webhooks_to=webhooks_to,
        faults=set_faults,
        as_json=form == "json",
    )


def _chats_beside(conversations: int, chats: int | None) -> int:
    return conversations // 4 if chats is None else chats


def _end(*, is_good: bool) -> None:
    if not is_good:
        click.get_current_context().exit(1)
