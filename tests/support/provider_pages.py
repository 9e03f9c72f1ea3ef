"""The pages of the providers, each made from what its adapter holds."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import get_args

from conversations_hub.adapter import Adapter, Feature, Filter, Operation, Resource
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.hub._capabilities import Capabilities

__all__ = ["pages", "title_of"]

_INTRODUCTION = """# Providers

What each provider's adapter does. A page for each says what it can and cannot do, its traps, and how much of the \
provider's own specification is read. `conversations-hub providers` shows the same for the adapters that are \
installed, and `conversations-hub doctor` checks an account of yours.

| provider | kinds | does | transcripts | webhooks | checked against |
| --- | --- | --- | --- | --- | --- |
"""
_DOES: Mapping[Operation, str] = {
    "list": "List conversations",
    "get": "Get one with everything that the provider has of it",
    "start": "Start one",
    "end": "End one that runs",
    "delete": "Delete one at the provider",
    "send": "Send a text into one that runs",
}
_FEATURES: tuple[Feature, ...] = get_args(Feature)
_FILTERS: tuple[Filter, ...] = get_args(Filter)
_CHECKED = {
    "specification": "This adapter was checked against the provider's specification. The [documentation]({docs}) \
describes the API.",
    "documentation": "This adapter was checked against the provider's [documentation]({docs}).",
    "inferred": "The provider's [documentation]({docs}) leaves much open. This adapter was written from it and from \
the provider's own programs, so check the first results.",
}


def title_of(adapter: Adapter) -> str:
    """Return the provider's name for people, with which the adapter's docstring begins."""
    words = sys.modules[f"conversations_hub.adapters.{adapter.name}"].__doc__ or ""
    return words.partition(":")[0]


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page."""
    adapters = [load(name) for name in sorted(BUILTIN)]
    yield "index.md", _INTRODUCTION + "".join(map(_row, adapters))
    for adapter in adapters:
        parts = (_head(adapter), _notes(adapter), _operations(adapter), _lists(adapter), _shown(adapter))
        more = (_account(adapter), _webhooks(adapter), _limits(adapter), _coverage(adapter))
        yield f"{adapter.name}.md", "\n".join(filter(None, (*parts, *more)))


def _row(adapter: Adapter) -> str:
    told = Capabilities.of(adapter)
    cells = (
        f"[{title_of(adapter)}]({adapter.name}.md)",
        ", ".join(told.lists),
        ", ".join(told.operations),
        "in lists" if told.transcripts_in_list else "with `get`",
        told.webhooks or "none",
        told.checked_against,
    )
    return f"| {' | '.join(cells)} |\n"


def _head(adapter: Adapter) -> str:
    prefix = adapter.name.upper()
    settings = "".join(f"export {prefix}_{name.upper()}=…  # if you need it: see below\n" for name in adapter.settings)
    code = f"export {prefix}_API_KEY=…\n{settings}conversations-hub list {adapter.name} --since 7d"
    checked = _CHECKED[adapter.support].format(docs=adapter.docs)
    return f"# {title_of(adapter)}\n\n{checked}\n\n```\n{code}\n```\n"


def _resources(adapter: Adapter) -> dict[str, Resource]:
    return {adapter.main: adapter, **adapter.resources}


def _operations(adapter: Adapter) -> str:
    held = _resources(adapter)
    head = f"| | {' | '.join(held)} |\n| --- |{' :-: |' * len(held)}\n"
    rows = (
        f"| {what} (`{name}`) | {' | '.join('✓' if name in each.operations else '-' for each in held.values())} |\n"
        for name, what in _DOES.items()
    )
    return f"## What it can do\n\n{head}{''.join(rows)}"


def _lists(adapter: Adapter) -> str:
    lines = [line for name, each in _resources(adapter).items() for line in _list(adapter, name, each)]
    lines += [f"Not listed: {'; '.join(adapter.unlisted)}."] if adapter.unlisted else []
    return "## Lists\n\n" + "".join(f"- {line}\n" for line in lines)


def _list(adapter: Adapter, name: str, resource: Resource) -> Iterator[str]:
    kind = name.capitalize()
    order = "newest first" if resource.newest_first else "in no known order"
    size = f", {resource.page_size} to a page" if resource.page_size else ""
    yield f"{kind} come {order}{size}."
    if resource.complete_lists:
        yield f"{kind} in a list are complete: `transcripts=True` costs no further request."
    else:
        yield f"{kind} in a list have no transcript; `transcripts=True` fetches each one."
    here = [each for each in _FILTERS if each not in resource.filters]
    if resource.filters:
        yield f"{title_of(adapter)} filters {name} by {_and(_coded(resource.filters))}" + (
            f"; the library applies {_and(_coded(here))} to the rows." if here else "."
        )
    else:
        yield f"{title_of(adapter)} does not filter {name}; the library applies every filter to the rows."
    if resource.counted:
        yield (
            f"Pages of {name} are found by counting, so a list that changes during a walk can skip some. "
            "`verify=True` walks it again until nothing new turns up; a sync always does."
        )
    if resource is not adapter:
        yield f'Ask for {name} alone with `hub.list("{adapter.name}:{name}")`.'


def _shown(adapter: Adapter) -> str:
    said = {feature: feature in adapter.shows for feature in _FEATURES} | {
        "transfers to a person": adapter.tells_transfers
    }
    names = {"recording": "recordings", "word timing": "the times of words"}
    yes, no = ([names.get(each, each) for each, is_so in said.items() if is_so is wanted] for wanted in (True, False))
    lines = [f"It reports {_and(yes)}."] if yes else []
    lines += [f"It does not report {_and(no, 'or')}."] if no else []
    if adapter.response_metric:
        lines.append(f"Its own figure for the latency of an answer is `{adapter.response_metric}`.")
    if adapter.tool_metric:
        lines.append(f"Its own figure for the latency of a tool is `{adapter.tool_metric}`.")
    return f"## What it reports\n\n{' '.join(lines)}\n"


def _notes(adapter: Adapter) -> str:
    lines = "".join(f"- {each}\n" for each in adapter.notes)
    return f"## What to know\n\n{lines}" if lines else ""


def _account(adapter: Adapter) -> str:
    prefix = adapter.name.upper()
    address = f"`{adapter.base_url}`"
    rows = [
        (f"{prefix}_API_KEY", "`key`", "the key; a secret"),
        (f"{prefix}_BASE_URL", "`base_url`", f"another address than {address}; optional"),
    ]
    for name in adapter.settings:
        secret = "; a secret" if name in adapter.secret_settings else ""
        rows.append((f"{prefix}_{name.upper()}", f"`settings.{name}`", f"see [What to know](#what-to-know){secret}"))
    table = "".join(f"| `{variable}` | {field} | {what} |\n" for variable, field, what in rows)
    return f"## Account\n\n| environment | accounts file | what it is |\n| --- | --- | --- |\n{table}"


def _webhooks(adapter: Adapter) -> str:
    webhook = adapter.webhook
    if webhook is None:
        text = "It sends no webhooks that this adapter reads. Sync instead."
    elif webhook.scheme is None:
        text = (
            "Webhooks are not signed. `verify` accepts them only with `insecure_accept_unsigned=True`, as unverified "
            "events; a receiver needs a `token` in the address. Either way, fetch the conversation."
        )
    else:
        signed = f"Webhooks are signed with {webhook.scheme.name}."
        if webhook.scheme.name == "shared secret":
            signed = "A webhook carries the shared secret itself."
        members = webhook.scheme.signed_members
        only = f" Only {_and(_coded(members))} is signed." if members else ""
        text = f"{signed}{only} Deliveries larger than {webhook.largest_body // 1024**2} MiB are refused."
    return f"## Webhooks\n\n{text} [Receiving webhooks](../guides/webhooks.md) shows how.\n"


def _limits(adapter: Adapter) -> str:
    lines = [
        "The provider documents no rate limit, so the library finds it: expect a few refusals (429) at first."
        if adapter.requests_per_second is None
        else f"The library sends at most {adapter.requests_per_second:g} requests a second for each account.",
        f"A sync reads the last {_span(adapter.lookback)} of a list again, for what came or changed late.",
    ]
    if adapter.retention:
        lines.append(f"Conversations are kept for {_span(adapter.retention)}, unless your account says otherwise.")
    if adapter.recording_hosts:
        lines.append(f"Recordings are fetched from {_and(_coded(adapter.recording_hosts))} too, without the key.")
    if adapter.artifact_hosts:
        lines.append(f"Transcripts are fetched from {_and(_coded(adapter.artifact_hosts))}, without the key.")
    if adapter.secret_fields:
        lines.append(f"These members are secret, and shown as `***`: {_and(_coded(sorted(adapter.secret_fields)))}.")
    return "## Limits\n\n" + "".join(f"- {line}\n" for line in lines)


def _coverage(adapter: Adapter) -> str:
    by_reason: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for each in _resources(adapter).values():
        for member, reason in each.left_to_raw.items():
            by_reason[reason][member] = None
    if not by_reason and adapter.coverage is None:
        return ""
    lines = [f"- {', '.join(_coded(members))}: {reason}\n" for reason, members in sorted(by_reason.items())]
    read = adapter.coverage
    said = [f"{read.read} of the {read.members} members of the provider's specification are read."] if read else []
    said += ["These are not, and stay in `raw`, each for a reason:"] if read and lines else []
    said += ["These members are known and not read, and stay in `raw`:"] if lines and not read else []
    return "\n".join(filter(None, ("## Coverage\n", f"{' '.join(said)}\n", "".join(lines))))


def _coded(names: Iterable[str]) -> list[str]:
    return [f"`{each}`" for each in names]


def _and(words: Iterable[str], last: str = "and") -> str:
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def _span(span: timedelta) -> str:
    days = span.days
    return "day" if days == 1 else f"{days} days"
