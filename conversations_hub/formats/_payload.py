"""What a provider sent, saved to a file, and offered to its adapter.

First as several answers about one conversation in one object, then as a delivery of a webhook, as a page of a list, as
one answer, and as rows of a list without their page; the first that fits counts. What `raw` holds is always one of
these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, get_origin

import msgspec

from .._bugs import read_row
from .._stamp import stamp
from ..account import Account
from ..adapter import Adapter, Query, RawPage, Resource
from ..adapters import load
from ..errors import FormatError, HubError, NotFoundError
from ..events import EventKind
from ..reading.json import Json, decoded_body, try_decode_any, well_formed
from ..reading.values import members_of
from ..schema import Conversation, Status
from ..wire import Flow, Request, Response, wrong_with_id
from ._format import Loaded
from ._records import Record, documents

__all__ = ["payload"]

_KEY: Final = "import"  # no request is sent with it
_NOWHERE: Final = "https://import.invalid"
_MOST_IDS: Final = 12
_MOST_REFUSED: Final = 8
_DEEPEST: Final = 2
"""How far within a document a conversation may be."""


def payload(source: bytes | Iterable[bytes], provider: str, *, account: str = "import") -> Iterator[Loaded]:
    """Yield the conversations of what a provider's API or webhook sent, saved to a file; nothing is requested.

    The file is a JSON document, an array of documents, or a document on each line: pages of a list, rows of one, the
    answer about a conversation, the `raw` of one, or deliveries of a webhook, whose signatures are not checked. A
    document that is none of these yields an error with its place, and the others follow. `account` names the
    conversations' account, so that none of them stands for one that was fetched. Where an adapter needs several
    answers to read all of a conversation, `raw` has them all; one of them alone gives what its list would show.

    Raises:
        UnknownAccountError: there is no such provider.
        ConfigurationError: its adapter is broken, or the account's name is invalid.
    """
    adapter = load(provider)
    settings = dict.fromkeys(adapter.settings, _KEY)
    pretended = Account(adapter.name, key=_KEY, name=account, base_url=_NOWHERE, settings=settings)
    return (one for record in documents(source) for one in _of_record(record, adapter, pretended))


def _of_record(record: Record, adapter: Adapter, account: Account) -> Iterator[Loaded]:
    if isinstance(record.found, FormatError):
        yield Loaded(place=record.place, error=record.found)
        return
    try:
        body = well_formed(record.found)[0]
        found = _first_found(body, adapter, account)
    except FormatError as error:
        yield Loaded(place=record.place, error=error)
        return
    except HubError as error:
        yield Loaded(place=record.place, error=FormatError(error.reason))
        return
    if not found:
        reason = f"{adapter.name} sends no conversation like this"
        yield Loaded(place=record.place, error=FormatError(reason))
    for number, one in enumerate(found):
        place = record.place if len(found) == 1 else f"{record.place}, row {number + 1}"
        if isinstance(one, Conversation):
            yield Loaded(place=place, conversation=one)
        else:
            yield Loaded(place=place, error=one)


_Found = list[Conversation | FormatError]


def _first_found(body: bytes, adapter: Adapter, account: Account) -> _Found:
    for read in _READINGS:
        if found := read(body, adapter, account):
            return found
    return []


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
    return _rows_instead(found, body, adapter, account)


def _listed(body: bytes, adapter: Adapter, account: Account) -> _Found:
    pages: list[tuple[int, _Found]] = []
    for name, resource in _resources(adapter):
        if resource.list_page is None:
            continue
        page: RawPage | None = _answered(resource.list_page, account, (Query(), None), [body])
        if page is not None and (found := _of_rows(page.rows, page.normalize, adapter, name, account)):
            pages.append((_known(resource, members_of(try_decode_any(page.rows[0]))), found))
    # Of several kinds of conversations, that which knows most of the members.
    return max(pages, key=lambda page: page[0])[1] if pages else []


def _got_in_parts(body: bytes, adapter: Adapter, account: Account) -> _Found:
    """Read the answers that an adapter put into one `raw`, in the order in which it asked for them."""
    parts = {name: bytes(part) for name, part in _members.decode(body).items()} if body.startswith(b"{") else {}
    if len(parts) < 2 or not all(part[:1] in {b"{", b"["} for part in parts.values()):
        return []
    return _of_answers([*parts.values()], body, adapter, account, lambda kind: _names(kind) >= parts.keys())


def _got(body: bytes, adapter: Adapter, account: Account) -> _Found:
    found = _rows_instead(_of_answers([body], body, adapter, account), body, adapter, account)
    rows = _in_rows(body, adapter, account) if found else []
    return rows if len(rows) > 1 and _ids_in(rows) > _ids_in(found) else found  # a list that looks like an answer


def _ids_in(found: _Found) -> set[str]:
    return {one.id for one in found if isinstance(one, Conversation)}


def _of_answers(
    answers: Sequence[bytes],
    body: bytes,
    adapter: Adapter,
    account: Account,
    fits: Callable[[type], bool] | None = None,
) -> _Found:
    document: dict[str, Any] = members_of(try_decode_any(body))
    ids = _ids(document)
    for name, resource in _likeliest(adapter, document):
        if resource.get is None or (fits and not any(map(fits, resource.payloads))):
            continue
        for id in ids:
            one = _answered(resource.get, account, (id,), answers)
            if one is not None:
                return [stamp(one, adapter, name, account=account.name)]
    return []


def _rows_instead(found: _Found, body: bytes, adapter: Adapter, account: Account) -> _Found:
    """Return what was read as an answer about one conversation, read as a row of a list if it is one."""
    if len(found) != 1 or not isinstance(one := found[0], Conversation):
        return found
    name, resource, id = adapter.resource_of(one.id)
    if resource.normalize is None or not _is_row(one, id, resource, members_of(try_decode_any(body))):
        return found
    return _of_rows([msgspec.Raw(body)], resource.normalize, adapter, name, account) or found


def _is_row(one: Conversation, id: str, resource: Resource, document: dict[str, Any]) -> bool:
    if not resource.only_in_get or not document.keys().isdisjoint(resource.only_in_get):
        return False
    if id not in _ids_of(document) or 2 * _known(resource, document) <= len(document):
        return False  # it stands within something else
    return not one.is_finished or one.status is Status.ENDED or bool(one.duration)  # of others, an answer has no more


def _in_rows(body: bytes, adapter: Adapter, account: Account) -> _Found:
    for rows in _groups(body, _DEEPEST):
        members = members_of(try_decode_any(rows[0]))
        for name, resource in _likeliest(adapter, members):
            if resource.normalize is None or 2 * _known(resource, members) <= len(members):
                continue
            if found := _of_rows(rows, resource.normalize, adapter, name, account):
                return found
    return []


_READINGS: Final[tuple[Callable[[bytes, Adapter, Account], _Found], ...]] = (
    _got_in_parts,
    _delivered,
    _listed,
    _got,
    _in_rows,
)


def _of_rows(
    rows: Sequence[msgspec.Raw],
    normalize: Callable[[msgspec.Raw], Conversation],
    adapter: Adapter,
    name: str,
    account: Account,
) -> _Found:
    """Return the conversations of rows, and errors of others; nothing if none can be read."""
    found: _Found = []
    for row in rows:
        try:
            found.append(stamp(read_row(normalize, row), adapter, name, account=account.name))
        except HubError as error:
            found.append(FormatError(error.reason))
    return found if any(isinstance(one, Conversation) for one in found) else []


def _resources(adapter: Adapter) -> Iterator[tuple[str, Resource]]:
    yield adapter.main, adapter
    yield from adapter.resources.items()


def _likeliest(adapter: Adapter, document: dict[str, Any]) -> list[tuple[str, Resource]]:
    """Return the kinds of conversations; that which knows most of a document's members comes first."""
    return sorted(_resources(adapter), key=lambda each: -_known(each[1], document))


def _known(resource: Resource, document: dict[str, Any]) -> int:
    """Return how many members of a document a resource knows."""
    names = {name for kind in resource.payloads for name in _names(kind)}
    return len(names & document.keys())


@cache
def _names(kind: type) -> frozenset[str]:
    """Return the names of the members of a payload's type."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items: Final = msgspec.json.Decoder(list[msgspec.Raw])


def _groups(body: bytes, depth: int) -> Iterator[Sequence[msgspec.Raw]]:
    """Yield objects that may be rows: the document, then the objects and the lists of objects within it."""
    if not body.startswith(b"{"):
        return
    yield [msgspec.Raw(body)]
    for member in _members.decode(body).values() if depth else ():
        if not bytes(member).startswith(b"["):
            yield from _groups(bytes(member), depth - 1)
        elif rows := [row for row in _items.decode(member) if bytes(row).startswith(b"{")]:
            yield rows


def _answered(operation: Any, account: Account, arguments: tuple[object, ...], answers: Sequence[bytes]) -> Any:
    """Return the result of an operation that is given all of these answers; None if they do not fit.

    Where there are several, what else is asked for does not exist: it could not be had, or `raw` would hold it.
    """
    left, is_composite, refused = [*answers], len(answers) > 1, 0
    try:
        flow: Flow[Any] = operation(account, *arguments)
        request = next(flow)
        while left or (is_composite and refused < _MOST_REFUSED):
            if is_composite and left and left[0].startswith(b"[") and not _is_list(request.reads):
                left[:1] = [bytes(page) for page in _items.decode(left[0])]
            elif left:
                request = flow.send(_response(left.pop(0), request))
            else:
                refused += 1
                request = flow.throw(NotFoundError("it is not in the file"))
        flow.close()
    except StopIteration as stop:
        return None if left else stop.value
    except Exception:  # noqa: BLE001  (the adapter was not made for this body, so anything may be wrong with it)
        return None
    return None


def _is_list(reads: msgspec.json.Decoder[Any] | None) -> bool:
    return reads is not None and get_origin(reads.type) is list


def _response(body: bytes, request: Request) -> Response:
    decoded = None if request.reads is None else decoded_body(body, request.reads)
    return Response(200, {}, body if decoded is None else decoded)


def _ids(document: dict[str, Any]) -> list[str]:
    """Return what may be the conversation's id, by which the adapter was asked for it; the likeliest first."""
    found: dict[str, None] = {}
    level: list[Json] = [document]
    for _ in range(_DEEPEST + 1):
        objects = [members for members in map(members_of, level) if members]
        found |= dict.fromkeys(id for members in objects for id in _ids_of(members))
        level = [inner for members in objects for value in members.values() for inner in _first(value)]
    return [*found][:_MOST_IDS]


def _first(value: Json) -> Sequence[Json]:
    """Return a value, or the first of a list."""
    return value[:1] if isinstance(value, list) else (value,)


def _ids_of(members: Mapping[str, Any]) -> Iterator[str]:
    likely = [name for name in members if name.lower().endswith("id")]
    for name in sorted(likely, key=lambda name: (name != "id", name)):
        id = members[name]
        if isinstance(id, str | int) and not isinstance(id, bool) and not wrong_with_id(str(id)):
            yield str(id)
