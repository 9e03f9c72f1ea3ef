"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

from .group import verbose
from .parameters import Count, instant, limiter, options_of, proxy, span, store_url

__all__ = [
    "FORMATS",
    "STORES",
    "accounts",
    "agent",
    "any_host",
    "as_json",
    "chats",
    "erasing",
    "files",
    "form",
    "format_options",
    "from_store",
    "seed",
    "since",
    "store",
    "targets",
    "until",
    "walked",
    "with_status",
    "yes",
]

targets = click.argument("targets", nargs=-1)
since = click.option(
    "--since",
    type=instant,
    metavar="INSTANT",
    help="From this instant on: 2026-11-20, 2026-11-20T09:30Z, or 90d, 12h, 30m ago; UTC unless it has a zone.",
)
until = click.option("--until", type=instant, metavar="INSTANT", help="Before this instant, in the same forms.")
with_status = click.option("--status", help="Only with this status: ended, failed, in_progress …")
agent = click.option("--agent", help="Only with the agent that has this id.")
as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, one document per line.")
form = click.option("--json", "form", flag_value="json", help="Write JSON, one document per line.")
FORMATS = ("jsonl", "csv", "vcon", "openai", "sharegpt", "otel", "otlp", "vtt", "srt", "md", "text")
format_options = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the format, its value as JSON or plain text, such as words=true; repeatable.",
)
yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
any_host = click.option(
    "--any-host", is_flag=True, help="Accept recordings from any public host, not only from the provider's."
)
STORES = "sqlite:PATH or a plain path, jsonl:PATH, parquet:FOLDER, or postgresql://USER@HOST/DATABASE."
store = click.option(
    "--store",
    type=store_url,
    default="conversations.db",
    show_default=True,
    metavar="STORE",
    help=f"The store: {STORES}",
)
from_store = click.option(
    "--store", type=store_url, metavar="STORE", help=f"Read from this store instead of the providers: {STORES}"
)
files = options_of(
    click.option(
        "--inbox",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Where webhooks are kept until they are in the store. Default: beside the store, .inbox.",
    ),
    click.option(
        "--outbox",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Where changes are kept until they are confirmed. Default: beside the store, .outbox.",
    ),
)
chats = click.option(
    "--chats",
    type=Count(min=0),
    help="Chats per provider that lists them apart from calls. Default: a quarter of --conversations.",
)
seed = click.option("--seed", type=int, default=0, show_default=True, help="Seed for the generated conversations.")
accounts = options_of(
    click.option(
        "--config", type=click.Path(path_type=Path), help="A TOML file with the accounts, instead of the environment."
    ),
    click.option(
        "--proxy", type=proxy, metavar="URL", help="Reach providers through this HTTP proxy, such as http://host:3128."
    ),
    click.option(
        "--proxy-from-env", is_flag=True, help="Use the proxy of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."
    ),
    click.option(
        "--ca-file",
        type=click.Path(path_type=Path),
        help="A PEM file of certificates to trust in addition to the system's, such as those of a proxy that inspects"
        " TLS.",
    ),
    click.option(
        "--limiter",
        type=limiter,
        metavar="URL",
        help="Share each account's rate limit with other processes through this Redis, such as redis://localhost.",
    ),
    verbose,
)
walked = options_of(
    since,
    until,
    click.option(
        "--lookback",
        type=span,
        metavar="SPAN",
        help="Read lists again from this long before the end of the last sync: 2d, 90m. The default depends on the"
        " provider.",
    ),
    click.option("--again", is_flag=True, help="Fetch everything in the span again, even if it is stored."),
    click.option(
        "--redact",
        is_flag=True,
        help="Remove e-mail addresses, phone and card numbers, and other long numbers before storing.",
    ),
    click.option(
        "--no-verify",
        is_flag=True,
        help="Skip the second pass over each list; rows may be missed if a list changes during the sync.",
    ),
    click.option(
        "--keep",
        type=span,
        metavar="SPAN",
        help="Erase conversations older than this, such as 180d, and fetch none of them.",
    ),
)
erasing = options_of(
    click.option(
        "--recordings",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Also remove their files from this folder of recordings.",
    ),
    click.option(
        "--inbox",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="PATH",
        help="Also remove what webhooks brought about them from this inbox.",
    ),
    click.option("--dry-run", is_flag=True, help="Only show what would be erased."),
    yes,
    click.option(
        "--receipt",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write a receipt of what was erased to this file, as JSON.",
    ),
)
