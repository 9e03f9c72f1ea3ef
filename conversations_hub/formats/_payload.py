"""What a provider sent, saved to a file, offered to its adapter: as a delivery, as a page of a list, as one answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from .._bugs import read_row
from .._stamp import stamp
from ..account import Account
from ..adapter import Adapter, Query, RawPage, Resource
from ..adapters import load
from ..errors import FormatError, HubError
from ..events import EventKind
from ..reading.json import decoded_body, try_decode_any, well_formed
from ..reading.values import members_of
from ..schema import Conversation
from ..wire import Flow, Response, wrong_with_id
from ._format import Loaded
from ._records import Record, documents

__all__ = ["payload"]

_KEY: Final = "import"  # no request is sent with it
_MOST_IDS: Final = 12


def payload(source: bytes | Iterable[bytes], provider: str, *, account: str = "import") -> Iterator[Loaded]:
    """Yield the conversations of what a provider's API or webhook sent, saved to a file; nothing is requested.

    The file is a JSON document, an array of documents, or a document on each line: pages of a list, answers to `get`,
    or deliveries of a webhook, whose signatures are not checked. A document that is none of these yields an error with
    its place, and the others follow. `account` names the conversations' account, so that none of them stands for one
    that was fetched. What an adapter reads from several answers cannot be read from one.

    Raises:
        UnknownAccountError: there is no such provider.
        ConfigurationError: its adapter is broken, or the account's name is invalid.
    """
    adapter = load(provider)
    pretended = Account(adapter.name, key=_KEY, name=account, settings=dict.fromkeys(adapter.settings, _KEY))
    return (one for record in documents(source) for one in _of_record(record, adapter, pretended))


def _of_record(record: Record, adapter: Adapter, account: Account) -> Iterator[Loaded]:
    if isinstance(record.found, FormatError):
        yield Loaded(place=record.place, error=record.found)
        return
    try:
        body = well_formed(record.found)[0]
        found = _delivered(body, adapter, account) or _listed(body, adapter, account) or _got(body, adapter, account)
    except FormatError as error:
        yield Loaded(place=record.place, error=error)
        return
    except HubError as error:
        yield Loaded(place=record.place, error=FormatError(error.reason))
        return
    if not found:
        reason = f"{adapter.name} sends no conversation like this, or only in several answers"
        yield Loaded(place=record.place, error=FormatError(reason))
    for number, one in enumerate(found):
        place = record.place if len(found) == 1 else f"{record.place}, row {number + 1}"
        if isinstance(one, Conversation):
            yield Loaded(place=place, conversation=one)
        else:
            yield Loaded(place=place, error=one)


_Found = list[Conversation | FormatError]


def _delivered(body: bytes, adapter: Adapter, account: Account) -> _Found:
    """Read a delivery; raise `FormatError` for one without a conversation, which would be an empty one elsewhere."""
    if adapter.webhook is None:
        return []
    try:
        events = adapter.webhook.events(body)
        found: _Found = [
            stamp(event.conversation, adapter, event.resource or adapter.main, account=account.name)
            for event in events
            if event.conversation is not None
        ]
    except Exception:  # noqa: BLE001  (it is no delivery, whatever the adapter says of it)
        return []
    if not found and any(event.kind is not EventKind.OTHER for event in events):
        raise FormatError("it is a delivery without a conversation")
    return found


def _listed(body: bytes, adapter: Adapter, account: Account) -> _Found:
    for name, resource in _resources(adapter):
        if resource.list_page is None:
            continue
        page: RawPage | None = _answered(resource.list_page, account, (Query(), None), body)
        if page is None:
            continue
        found: _Found = []
        for row in page.rows:
            try:
                one = read_row(page.normalize, row)
                found.append(stamp(one, adapter, name, account=account.name))
            except HubError as error:
                found.append(FormatError(error.reason))
        if any(isinstance(one, Conversation) for one in found):
            return found
    return []


def _got(body: bytes, adapter: Adapter, account: Account) -> _Found:
    document: dict[str, Any] = members_of(try_decode_any(body))
    ids = _ids(document)
    # Of several kinds of conversations, that which knows most of the members comes first.
    for name, resource in sorted(_resources(adapter), key=lambda each: -_known(each[1], document)):
        for id in ids if resource.get is not None else ():
            one = _answered(resource.get, account, (id,), body)
            if one is not None:
                return [stamp(one, adapter, name, account=account.name)]
    return []


def _resources(adapter: Adapter) -> Iterator[tuple[str, Resource]]:
    yield adapter.main, adapter
    yield from adapter.resources.items()


def _answered(operation: Any, account: Account, arguments: tuple[object, ...], body: bytes) -> Any:
    """Return the result of an operation whose only answer is the body; None if it fails, or asks for more."""
    try:
        flow: Flow[Any] = operation(account, *arguments)
        request = next(flow)
        decoded = None if request.reads is None else decoded_body(body, request.reads)
        try:
            flow.send(Response(200, {}, body if decoded is None else decoded))
        except StopIteration as stop:
            return stop.value
        flow.close()
    except Exception:  # noqa: BLE001  (the adapter was not made for this body, so anything may be wrong with it)
        return None
    return None


def _known(resource: Resource, document: dict[str, Any]) -> int:
    """Return how many members of a document a resource knows."""
    names = {field.encode_name for kind in resource.payloads for field in msgspec.structs.fields(kind)}
    return len(names & document.keys())


def _ids(document: dict[str, Any]) -> list[str]:
    """Return what may be the conversation's id, by which the adapter was asked for it; the likeliest first."""
    inner = filter(None, map(members_of, document.values()))
    found = dict.fromkeys(id for members in (document, *inner) for id in _ids_of(members))
    return [*found][:_MOST_IDS]


def _ids_of(members: Mapping[str, Any]) -> Iterator[str]:
    likely = [name for name in members if name.lower().endswith("id")]
    for name in sorted(likely, key=lambda name: (name != "id", name)):
        id = members[name]
        if isinstance(id, str) and not wrong_with_id(id):
            yield id
