"""The command line: declares every command and its options; `run` in the module of the same name does the work.

Exit codes: 0 done and complete, 1 failed or incomplete, 2 wrong usage or configuration, 130 interrupted, 141 output
closed by its reader. Only click and the standard library are imported here, so that `--help` stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ..version import __version__
from . import options
from .accounts import Accounts
from .group import Sentences, verbose
from .parameters import Count, Number, instant, span, store_url, timezone

__all__ = ["cli"]


@click.group(
    cls=Sentences,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="New here? `conversations-hub demo` needs no key and no network.",
)
@verbose
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """The conversations of every AI voice and video agent platform, in one form.

    Accounts come from the environment, from <PROVIDER>_API_KEY such as TAVUS_API_KEY, or from a TOML file (--config).
    `conversations-hub providers` lists the providers and the settings they need. CONVERSATIONS_HUB_LOG=debug does the
    same as -v.

    Exit codes: 0 done and complete, 1 failed or incomplete, 2 wrong usage or configuration, 130 interrupted,
    141 output closed by its reader, such as `head`.
    """


_Declaration = Callable[..., None]


def _command(*examples: str) -> Callable[[_Declaration], _Declaration]:
    """Declare a command by a function's name, options and docstring; `run` in its module takes the options."""

    def declare(declaration: _Declaration) -> _Declaration:
        name = declaration.__name__.strip("_")

        def invoke(**given: Any) -> None:
            if "config" in given:
                given["accounts"] = Accounts.of(given)
            if isinstance(given.get("provider"), tuple) and (providers := given.pop("provider")):
                click.echo("--provider is removed in 0.3: write the providers after the command instead", err=True)
                given["targets"] += providers
            if import_module(f".{name}", __package__).run(**given) is False:
                click.get_current_context().exit(1)

        invoke.__doc__ = declaration.__doc__
        invoke.__click_params__ = getattr(declaration, "__click_params__", [])  # type: ignore[attr-defined]
        heading = "Examples:" if len(examples) > 1 else "Example:"
        lines = (f"  conversations-hub {example}" for example in examples)
        cli.command(name, epilog="\n".join(("\b", heading, *lines)))(invoke)
        return declaration

    return declare


# first steps


@_command("demo", "demo --page", "demo --conversations 90 --seed 7")
@click.option("--conversations", type=Count(min=0), default=120, show_default=True, help="Conversations per provider.")
@options.chats
@options.seed
@click.option("--page", is_flag=True, help="At the end, show them in a browser, until stopped.")
@options.as_json
def _demo() -> None:
    """Show what this does, on simulated providers.

    Needs no key and no network.
    """


@_command("providers", "providers tavus vapi")
@click.argument("names", nargs=-1)
@options.as_json
def _providers() -> None:
    """Show what each provider can do.

    NAMES are those of providers; without them, all are shown.
    """


@_command("doctor tavus", "doctor --json")
@options.targets
@options.accounts
@options.as_json
def _doctor() -> None:
    """Check accounts.

    Checks all accounts, or TARGETS such as tavus or tavus/eu: the key and its permissions, the connection, the clock
    and the rate limit, and whether the provider still sends what its adapter expects (unknown and missing members,
    unknown words). Reads one page of the list and a few conversations, and changes nothing.
    """


# conversations


@_command(
    "list --since 7d",
    "list anyreach --status failed --transcripts",
    "list --since 2026-11-01 --transcripts --json > all.jsonl",
)
@options.targets
@options.since
@options.until
@options.with_status
@options.agent
@click.option(
    "--updated-since", type=instant, metavar="INSTANT", help="Only those that changed at this instant or later."
)
@click.option("--limit", type=Count(min=0), help="At most this many, over all accounts.")
@click.option(
    "--transcripts", is_flag=True, help="Include transcripts, even if that takes one request per conversation."
)
@options.from_store
@options.accounts
@options.as_json
def _list() -> None:
    """List conversations.

    Lists all accounts, or TARGETS such as tavus or tavus/eu. A completeness report goes to standard error at the end.
    """


@_command("get tavus:c123456", "get anyreach:conv_9 --json", "get vapi:019a --format vtt > call.vtt")
@click.argument("ref")
@options.form
@click.option("--format", type=click.Choice(options.FORMATS), help="Write it for another program, in this format.")
@options.format_options
@click.option("--raw", "form", flag_value="raw", help="Write what the provider sent, without known secrets.")
@click.option("--wait", type=span, metavar="SPAN", help="Wait up to this long for a pending transcript: 90s, 5m.")
@options.from_store
@options.accounts
def _get() -> None:
    """Show one conversation with its transcript.

    REF is provider:id or provider/account:id.
    """


@_command("start tavus --agent p5317866", "start vapi --agent a1 --to +15550102030 --yes")
@click.argument("target")
@click.option("--agent", help="The agent's id at the provider.")
@click.option("--to", metavar="NUMBER", help="The number to call, if the channel needs one.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another member of the provider's own request, its value as JSON or plain text; repeatable.",
)
@click.option("--token", "with_token", is_flag=True, help="Also write the token to join with.")
@options.yes
@options.accounts
@options.as_json
def _start() -> None:
    """Start a conversation.

    TARGET is the account to start it with, such as tavus or tavus/eu.
    """


@_command("send telnyx:c123 'Where is my order?'")
@click.argument("ref")
@click.argument("text")
@options.yes
@options.accounts
@options.as_json
def _send() -> None:
    """Send TEXT to a running text conversation.

    Shows the agent's answer.
    """


@_command("end tavus:c123456")
@click.argument("ref")
@options.yes
@options.accounts
@options.as_json
def _end() -> None:
    """End a running conversation."""


@_command("delete tavus:c123456 tavus:c123457", "delete elevenlabs:conv_1 --yes")
@click.argument("refs", nargs=-1, required=True)
@options.yes
@options.accounts
@options.as_json
def _delete() -> None:
    """Delete conversations at the provider, permanently.

    `erase --at-provider` erases them from a store as well.
    """


@_command("download tavus:c123456", "download retell:call_1 --to recordings")
@click.argument("ref")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="FOLDER",
    help="The folder to write to. Default: the current folder.",
)
@options.any_host
@options.accounts
@options.as_json
def _download() -> None:
    """Download the recordings of a conversation."""


# a store


@_command(
    "sync --since 90d",
    "sync tavus --store jsonl:tavus.jsonl --since 2026-11-01",
    "sync --follow --redact",
    "sync --worker --follow --store postgresql://hub@db/calls",
)
@options.targets
@click.option("--provider", multiple=True, hidden=True)
@options.store
@options.walked
@click.option("--follow", is_flag=True, help="Keep syncing until stopped, and retry what failed.")
@click.option("--every", type=Number(min=1), help="Seconds between runs of --follow. Default: 60.")
@click.option(
    "--worker",
    is_flag=True,
    help="Share the accounts with other workers on a Postgres store, each when it is due, until none is.",
)
@click.option(
    "--inbox",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Also store what webhooks brought into this inbox, with --follow as soon as it comes.",
)
@click.option("--raw", is_flag=True, help="Also store what the providers sent, without known secrets.")
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Also download recordings to this folder.",
)
@options.any_host
@options.accounts
@options.as_json
def _sync() -> None:
    """Bring a store up to date.

    Syncs all accounts, or TARGETS such as tavus or tavus/eu: fetches conversations that are new, that have changed, or
    that were not ready the last time. After a stop or a kill, the next run resumes.
    """


@_command("plan --since 90d", "plan tavus --json")
@options.targets
@options.store
@options.walked
@options.accounts
@options.as_json
def _plan() -> None:
    """Show what a sync would take.

    Shows how many requests it needs, how long they take at the known limits, and what cannot be fetched. Reads the
    lists and at most three conversations of each account, and writes nothing.
    """


@_command("status", "status --store jsonl:november.jsonl --json")
@options.store
@options.as_json
def _status() -> None:
    """Show what is in a store and how fresh it is.

    Shows for each account how many conversations there are, the oldest and the newest, up to when its lists were read,
    and how many are pending, restricted, failing, given up or vanished. Asks no provider.
    """


@_command("search refund", "search '\"credit card\" cancel*' --role user --since 30d")
@click.argument("words")
@options.targets
@click.option("--provider", multiple=True, hidden=True)
@options.store
@options.since
@options.until
@click.option(
    "--role",
    type=click.Choice(["user", "assistant", "human_agent", "system", "tool"]),
    help="Only turns of this role.",
)
@options.with_status
@options.agent
@click.option("--anywhere", is_flag=True, help="Allow the words to be in different turns of a conversation.")
@click.option("--limit", type=Count(min=0), default=20, show_default=True, help="At most this many turns.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Skip this many turns, the best first.")
@options.as_json
def _search() -> None:
    """Search what was said, best match first.

    Searches all conversations, or those of TARGETS such as tavus or tavus/eu. All WORDS must be in one turn. Quotes
    keep words together; a star at the end matches all words that start like this. OR between two words makes one of
    them enough; NOT before a word leaves out the turns that contain it.
    """


@_command(
    "stats",
    "stats --by agent,week --metric talk_ratio --since 90d",
    "stats --by agent,week --csv > stats.csv",
    "stats --ref tavus:c123456",
)
@options.targets
@options.store
@click.option(
    "--by",
    default="provider",
    show_default=True,
    metavar="KEYS",
    help="Group by these keys, with commas between them: provider, account, agent, agent_version, day, week, month,"
    " channel, direction, status, end_reason, language. Empty: one group.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="A metric to show; repeatable. all: every one. Default: the most usual.",
)
@options.since
@options.until
@click.option(
    "--timezone", type=timezone, default="UTC", show_default=True, help="Where days begin, such as Europe/Berlin."
)
@click.option("--ref", help="Show every metric of this conversation instead, and where each value comes from.")
@options.form
@click.option("--csv", "form", flag_value="csv", help="Write CSV for a spreadsheet, a line for each metric of a group.")
def _stats() -> None:
    """Measure the conversations of a store.

    Measures all conversations, or those of TARGETS such as tavus or tavus/eu: how long they take and who talks, how
    quickly the agent answers, interruptions, tools, transfers and costs. A value that a provider does not give is not
    guessed: the reason stands in its place. The bar is the mean.
    """


@_command(
    "export november.csv --since 2026-11-01 --until 2026-12-01",
    "export all.parquet",
    "export openai:training.jsonl --since 30d",
    "export jsonl:- tavus | jq .summary",
)
@click.argument("to")
@options.targets
@options.store
@options.since
@options.until
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option(
    "--rows", type=click.Choice(["turns", "conversations"]), help="What each line of a CSV is. Default: turns."
)
@click.option(
    "--formulas",
    is_flag=True,
    help="Leave texts in a CSV unchanged, although a spreadsheet may run or cut some of them.",
)
@options.format_options
@options.as_json
def _export() -> None:
    """Write conversations of a store to a file.

    Exports all conversations, or those of TARGETS such as tavus or tavus/eu. The ending of TO sets the format: .jsonl
    or .csv, optionally followed by .gz; .parquet for a folder of two tables, which needs the extra duckdb; or .vcon,
    .vtt, .srt, .md or .txt for a folder with a file for each conversation. FORMAT:PATH names any format, such as
    openai:training.jsonl, sharegpt, otel or otlp, and FORMAT:- writes to standard output. What the format cannot hold
    is counted; conversations that it cannot hold at all are left out, with the reason, and the exit code is 1.
    """


@_command(
    "import november.vcon",
    "import calls.json --provider vapi",
    "import chats.jsonl --format openai --account training",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    type=click.Choice(options.FORMATS),
    help="What the files are, if neither their endings nor their first lines show it.",
)
@click.option("--provider", help="The provider that sent what the files hold: pages, answers or deliveries.")
@options.format_options
@click.option(
    "--account",
    default="import",
    show_default=True,
    help="The account to store them under, so that none replaces a fetched one.",
)
@options.store
@click.option(
    "--redact",
    is_flag=True,
    help="Remove e-mail addresses, phone and card numbers, and other long numbers before storing.",
)
@click.option("--raw", is_flag=True, help="Also store what the providers sent, without known secrets.")
@options.as_json
def _import() -> None:
    """Put the conversations of files into a store.

    Reads vCon, WebVTT, SRT, chats, messages of OpenTelemetry and exported JSON lines, and what a provider's API or
    webhook sent, also packed with gzip. The same file twice changes nothing. What cannot be read is named with its
    place, and the exit code is 1. No URL in a file is followed.
    """


@_command(
    "erase tavus:c123456",
    "erase --phone '+1 555 010 2030' --dry-run",
    "erase --email ada@example.com --at-provider",
)
@click.argument("refs", nargs=-1)
@click.option("--phone", help="All conversations of the person with this phone number, in any spelling.")
@click.option("--email", help="All conversations of the person with this e-mail address.")
@click.option("--participant", help="All conversations of the participant with this id.")
@click.option("--at-provider", is_flag=True, help="Also delete them at the provider, if its API can.")
@options.store
@options.erasing
@options.accounts
@options.as_json
def _erase() -> None:
    """Erase conversations from a store, permanently.

    Erases the conversations with these REFS, and all conversations of a person. They are removed from the tables, the
    search index and the bytes of the file, and no later sync brings them back. Other conversations that mention the
    person are listed, and stay. Copies and backups of the store are not touched: erasing them is up to you.
    """


@_command("prune --keep 180d", "prune --keep 2026-01-01")
@click.option(
    "--keep", type=instant, required=True, metavar="INSTANT", help="Erase what is older than this: 180d or 2026-01-01."
)
@options.store
@options.erasing
@options.as_json
def _prune() -> None:
    """Erase old conversations from a store."""


# a web service


@_command(
    "serve",
    "serve --redact --recordings recordings",
    "serve --live --tokens tokens.toml",
    "serve --hooks --drain --forward --config accounts.toml",
)
@click.option(
    "--store",
    type=store_url,
    metavar="STORE",
    help=f"The store: {options.STORES} Default: conversations.db; with --live none, if that does not exist.",
)
@click.option("--live", is_flag=True, help="Also ask the providers, for requests with source=live.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="The port to listen on; 0: a free one.",
)
@click.option(
    "--tokens",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A TOML file of tokens, instead of a random one that is shown at the start.",
)
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="A name by which it is reached besides localhost; repeatable."
)
@click.option(
    "--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="A certificate in PEM form, for https."
)
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its private key.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front of it does TLS and sets X-Forwarded-For.")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@click.option("--session-tokens", is_flag=True, help="The page forgets its token when the tab is closed.")
@click.option(
    "--redact",
    is_flag=True,
    help="Remove e-mail addresses, phone and card numbers, and other long numbers from every answer.",
)
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Serve recordings from this folder, which `sync --recordings` filled; with --live, download what it lacks.",
)
@click.option("--hooks", is_flag=True, help="Receive webhooks at /hooks, for the endpoints that --config names.")
@click.option("--drain", is_flag=True, help="Store what webhooks brought; only one process may.")
@click.option("--forward", is_flag=True, help="Tell the targets that --config names about every change of the store.")
@options.files
@options.accounts
@options.as_json
def _serve() -> None:
    """Serve conversations over HTTP.

    Answers anyone who has a token, and changes nothing. Prints its address with a new token once. Other machines reach
    it only with --tokens, --allow-host, and TLS of its own or of a proxy.
    """


@_command("deliveries", "deliveries --replay", "deliveries --replay crm --since 2h")
@click.argument("names", nargs=-1)
@options.store
@options.files
@click.option("--replay", is_flag=True, help="Try what is dead again.")
@click.option(
    "--since",
    type=instant,
    metavar="INSTANT",
    help="With --replay, also what was done since this instant: 2026-11-20T09:30Z, or 2h, 30m ago.",
)
@click.option("--limit", type=Count(min=0), default=50, show_default=True, help="At most this many dead ones of each.")
@options.as_json
def _deliveries() -> None:
    """Show the webhooks that came in and the changes that go out.

    Shows how many events of webhooks are not in the store yet, how many changes wait for each target, and which of both
    are dead: given up, with the reason. --replay tries the dead ones again, those of NAMES (endpoints and targets) or
    all; what receives, drains and sends may go on meanwhile.
    """


# agents


@_command(
    "mcp",
    "mcp --provider tavus --since 90d --redact",
    "mcp --live --allow start --allow-number +15550102030",
    "mcp --http --port 8000 --token-file tokens",
)
@click.option(
    "--store",
    type=store_url,
    default="conversations.db",
    show_default=True,
    envvar="CONVERSATIONS_HUB_STORE",
    metavar="STORE",
    help=f"The store: {options.STORES}",
)
@click.option("--live", is_flag=True, help="Also ask providers, for what a store does not have yet.")
@click.option("--no-store", is_flag=True, help="Ask only providers.")
@click.option(
    "--only",
    envvar="CONVERSATIONS_HUB_ONLY",
    metavar="NAMES",
    help="Only these tools, with commas between them, such as search_conversations,get_conversation.",
)
@click.option(
    "--allow",
    envvar="CONVERSATIONS_HUB_ALLOW",
    metavar="ACTS",
    help="What may be done besides reading: start, send, or both with a comma. The user is asked each time.",
)
@click.option(
    "--allow-number",
    "numbers",
    multiple=True,
    metavar="NUMBER",
    help="A number that may be called; repeatable. Default: any.",
)
@click.option(
    "--read-only",
    is_flag=True,
    envvar="CONVERSATIONS_HUB_READ_ONLY",
    help="Only allow reading, whatever --allow says.",
)
@click.option(
    "--provider",
    "shown",
    multiple=True,
    metavar="TARGET",
    help="Show only this account, such as tavus or tavus/eu; repeatable.",
)
@click.option("--since", metavar="INSTANT", help="Show only conversations from this instant on: 2026-11-20 or 90d.")
@click.option("--redact", is_flag=True, help="Show no e-mail addresses, phone and card numbers, or other long numbers.")
@click.option("--http", is_flag=True, help="Serve over HTTP, at /mcp, instead of standard input and output.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on, with --http.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port to listen on, with --http."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The tokens of those who may call, a line each, with --http. Default: a new one, shown on standard error.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which it is reached, with --http; repeatable. Default: loopback only.",
)
@options.accounts
@click.option(
    "--json", "as_json", is_flag=True, help="Only write what a host's configuration needs to start this, as JSON."
)
def _mcp() -> None:
    """Serve conversations to AI assistants, over MCP.

    Hosts such as Claude, Cursor and VS Code start this command by themselves: docs/guides/agents.md has their
    configuration. Reads a store, and sends nothing unless --live is given. Needs the extra mcp.
    """


# simulated providers


@_command(
    "simulate --port 8080",
    "simulate --latency 0.2 --outage 0.05",
    "simulate --webhooks-to http://127.0.0.1:8000/hooks",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port to listen on. Default: a free one.")
@click.option("--conversations", type=Count(min=0), default=300, show_default=True, help="Conversations per provider.")
@options.chats
@options.seed
@click.option("--latency", type=Number(min=0), help="Seconds before each answer.")
@click.option("--jitter", type=Number(min=0), help="Up to this many seconds more before each answer, at random.")
@click.option("--throttle", type=Number(0, 1), help="Share of answers that are 429 with Retry-After, from 0 to 1.")
@click.option("--throttle-bare", type=Number(0, 1), help="Share of answers that are 429 without Retry-After.")
@click.option("--outage", type=Number(0, 1), help="Share of answers that are 500, 502 or 503.")
@click.option("--reset", type=Number(0, 1), help="Share of connections that are reset.")
@click.option("--truncate", type=Number(0, 1), help="Share of bodies that are shorter than declared.")
@click.option("--slow", type=Number(0, 1), help="Share of bodies that are sent slowly.")
@click.option("--slow-seconds", type=Number(min=0), help="Seconds that a slow body takes.")
@click.option("--retry-after", type=Count(min=0), help="Seconds in Retry-After.")
@click.option(
    "--requests-per-second", type=Number(min=0, min_open=True), help="Rate per key above which the answer is 429."
)
@click.option(
    "--webhooks-to",
    metavar="URL",
    help="Deliver every provider's events, signed, to URL/<provider>. Telnyx's need the extra ed25519.",
)
@click.option("--duplicate", type=Number(0, 1), help="Share of webhook deliveries that are sent twice.")
@click.option("--late", type=Number(0, 1), help="Share of webhook deliveries that are sent late and out of order.")
@click.option("--late-seconds", type=Number(min=0), help="Seconds of delay of a late delivery, at most.")
@click.option("--burst", type=click.IntRange(min=1), help="Requests per key that may come at once.")
@click.option(
    "--withheld", multiple=True, metavar="KIND", help="A kind that keys may not read, such as vapi:chats; repeatable."
)
@click.option(
    "--provider", "providers", multiple=True, help="Limit the faults to this provider; repeatable. Default: all."
)
@options.as_json
def _simulate() -> None:
    """Serve every provider's API on this machine.

    For trying things out and for tests. Accepts any key, except one that starts with "bad", which is refused as the
    provider would refuse it.
    """
