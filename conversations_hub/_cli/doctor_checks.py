"""Check one account: what its key may do, the provider's clock and limits, and whether payloads have changed.

Few requests are sent: one page of the list, and `get` for some of its rows. Temporary failures are retried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Final, Literal, TypeVar

import msgspec

from .._bugs import read_row
from .._transport import Counts, Lane
from ..account import Account
from ..adapter import Query, RawPage, Resource
from ..errors import AuthError, ConfigurationError, ForbiddenError, HubError, NotFoundError, ProviderError
from ..policy import quota, sent_at
from ..reading.json import Json, untyped
from ..reading.refusals import one_line
from ..schema import Conversation, EndReason, Role, Status, TranscriptState
from ..signing.webhooks import Scheme
from ..testing import unknown_members, unseen_members
from ..wire import Flow, Request, Response

__all__ = ["Diagnosis", "Finding", "Verdict", "check_account"]

T = TypeVar("T")

_ROWS = 25
_DETAILS = 3
_MOST_SKEW = 5.0
_MOST_NAMED = 200
_LONGEST_NAME = 160  # characters

Verdict = Literal["ok", "note", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """The result of one check."""

    check: str
    verdict: Verdict
    said: str
    found: tuple[str, ...] = ()
    """Members, words or places, one by one; never the content of conversations."""


class Diagnosis(msgspec.Struct, frozen=True):
    """The findings for one account."""

    provider: str
    account: str
    findings: tuple[Finding, ...]

    @property
    def is_good(self) -> bool:
        """Whether nothing failed."""
        return all(finding.verdict != "failed" for finding in self.findings)


class _Evidence(msgspec.Struct):
    """The answers to the requests."""

    counts: Counts = msgspec.field(default_factory=Counts)
    answers: list[tuple[Response, datetime]] = []
    """Each with the instant it arrived, UTC."""
    kinds: list[tuple[Resource, list[Conversation]]] = []
    """The conversations, by kind."""
    unreadable: list[str] = []

    @property
    def conversations(self) -> list[Conversation]:
        """The conversations of all kinds."""
        return [conversation for _, found in self.kinds for conversation in found]


async def check_account(lane: Lane) -> Diagnosis:
    """Check an account; whatever goes wrong is a finding."""
    evidence = _Evidence()
    findings = await _access(lane, evidence)
    account, adapter = lane.account, lane.adapter
    if evidence.answers:
        findings += [
            _skew(evidence, adapter.webhook.scheme if adapter.webhook else None),
            _limits(evidence, adapter.requests_per_second),
        ]
    if evidence.conversations or evidence.unreadable:
        payloads = [(resource, _payloads(found)) for resource, found in evidence.kinds if found]
        total = sum(len(sent) for _, sent in payloads)
        findings += [
            _readable(evidence),
            _found(
                "unknown members",
                (member for resource, sent in payloads for one in sent for member in unknown_members(resource, one)),
                "sent by the provider, but unknown to the adapter",
                "none",
            ),
            _found(
                "unknown words",
                _unknown_words(evidence.conversations),
                "used by the provider, but unknown to the adapter",
                "none",
            ),
            _found(
                "missing members",
                (member for resource, sent in payloads for member in unseen_members(resource, sent)),
                f"in none of {total} payloads, although the adapter reads them; many are sent only at times",
                "none",
            ),
        ]
    return Diagnosis(account.provider, account.name, tuple(findings))


# what the key may do


async def _access(lane: Lane, evidence: _Evidence) -> list[Finding]:
    adapter, account = lane.adapter, lane.account
    if adapter.list_page is None:
        return [Finding("list", "skipped", "the provider has no list, so there is nothing to check")]
    began = lane.clock.monotonic()
    flow = adapter.list_page(account, Query(page_size=_ROWS), None)
    listing: RawPage | HubError = await _run(lane, "list", flow, evidence)
    reachable = _reached(lane.clock.monotonic() - began, evidence.counts.retries)
    if isinstance(listing, HubError):
        return _refused(listing, reachable)
    findings = [
        reachable,
        Finding("key", "ok", "accepted"),
        _listed("list", listing),
    ]
    rows = list(_normalized(listing, evidence))
    details: list[Conversation] = []
    findings.append(await _details(lane, rows, details, evidence))
    evidence.kinds.append((adapter, rows + details))
    for name, resource in adapter.resources.items():
        if resource.list_page is not None:
            findings.append(await _other_list(lane, name, resource, resource.list_page, evidence))
    return [*findings, _transcripts(evidence)]


def _reached(seconds: float, failures: int) -> Finding:
    said = f"an answer in {seconds:.2f} s"
    if not failures:
        return Finding("reachable", "ok", said)
    return Finding("reachable", "note", f"{said}, after {failures} failed {'try' if failures == 1 else 'tries'}")


def _refused(error: HubError, reachable: Finding) -> list[Finding]:
    if isinstance(error, ConfigurationError):  # no request was sent
        return [Finding("adapter", "failed", error.reason)]
    if isinstance(error, ForbiddenError):
        return [reachable, Finding("key", "ok", "accepted"), Finding("list", "failed", str(error))]
    if isinstance(error, AuthError):
        return [reachable, Finding("key", "failed", str(error))]
    if isinstance(error, ProviderError) and error.status is not None and error.status < 500:
        return [reachable, Finding("list", "failed", str(error))]
    return [Finding("reachable", "failed", str(error))]


def _listed(check: str, listing: RawPage) -> Finding:
    rows = f"{len(listing.rows)} rows"
    return Finding(check, "note", f"{rows}; {listing.warning}") if listing.warning else Finding(check, "ok", rows)


def _normalized(listing: RawPage, evidence: _Evidence) -> Iterator[Conversation]:
    for position, row in enumerate(listing.rows):
        try:
            yield read_row(listing.normalize, row)
        except HubError as error:
            evidence.unreadable.append(f"row {position}: {error.reason}")


async def _other_list(
    lane: Lane,
    name: str,
    resource: Resource,
    list_page: Callable[[Account, Query, str | None], Flow[RawPage]],
    evidence: _Evidence,
) -> Finding:
    listing = await _run(lane, "list", list_page(lane.account, Query(page_size=_ROWS), None), evidence)
    if isinstance(listing, HubError):
        may_not = isinstance(listing, AuthError | NotFoundError)
        return Finding(f"list of {name}", "note" if may_not else "failed", str(listing))
    evidence.kinds.append((resource, list(_normalized(listing, evidence))))
    return _listed(f"list of {name}", listing)


async def _details(lane: Lane, rows: list[Conversation], details: list[Conversation], evidence: _Evidence) -> Finding:
    get = lane.adapter.get
    if get is None:
        return Finding("get", "skipped", "the provider cannot return a single conversation")
    # Conversations that ended long ago are the most complete; most lists start with the newest.
    wanted = ([row for row in rows if row.is_finished] or rows)[-_DETAILS:]
    if not wanted:
        return Finding("get", "skipped", "the list is empty, so there is nothing to get")
    for row in wanted:
        found = await _run(lane, "get", get(lane.account, row.id), evidence)
        if isinstance(found, HubError):
            return Finding("get", "failed", str(found))
        details.append(found)
    return Finding("get", "ok", f"{len(wanted)} conversations")


def _transcripts(evidence: _Evidence) -> Finding:
    states = [conversation.transcript_state for conversation in evidence.conversations]
    if TranscriptState.RESTRICTED in states:
        return Finding("transcripts", "failed", "the key may not read them: grant it that right, or use another key")
    read = states.count(TranscriptState.AVAILABLE)
    if read:
        return Finding("transcripts", "ok", f"{read} read")
    return Finding("transcripts", "skipped", "none of these conversations has one yet")


async def _run(lane: Lane, operation: Literal["list", "get"], flow: Flow[T], evidence: _Evidence) -> T | HubError:
    def hear(answer: Response) -> None:
        evidence.answers.append((answer, lane.clock.now()))

    try:
        return await lane.run(operation, _overheard(flow, hear), evidence.counts)
    except HubError as error:
        return error


def _overheard(flow: Flow[T], hear: Callable[[Response], None]) -> Flow[T]:
    """Run a flow, and pass each answer it gets to `hear`."""
    proceed: Callable[[], Request] = partial(next, flow)
    while True:
        try:
            request = proceed()
        except StopIteration as stop:
            found: T = stop.value
            return found
        try:
            answer = yield request
        except HubError as error:
            proceed = partial(flow.throw, error)
        else:
            hear(answer)
            proceed = partial(flow.send, answer)


# headers


def _skew(evidence: _Evidence, scheme: Scheme | None) -> Finding:
    answer, came = evidence.answers[0]
    sent = sent_at(answer.headers)
    if sent is None:
        return Finding("clock", "skipped", "the provider does not send the time")
    ahead = (came - sent).total_seconds() - 0.5  # the header has whole seconds, rounded down
    if abs(ahead) <= _MOST_SKEW:
        return Finding("clock", "ok", "agrees with the provider's")
    way = "ahead of" if ahead > 0 else "behind"
    limit = f": signed webhooks fail at {scheme.tolerance:g} s" if scheme else ""
    return Finding("clock", "note", f"this machine is {abs(ahead):.0f} s {way} the provider{limit}")


def _limits(evidence: _Evidence, documented: float | None) -> Finding:
    known = "no documented limit" if documented is None else f"documented limit {documented:g}/s"
    answer, came = evidence.answers[-1]
    left = quota(answer.headers, came)
    if left is None:
        named = sorted(name.lower() for name in answer.headers if "ratelimit" in name.lower().replace("-", ""))
        return Finding("rate limit", "skipped", f"{known}; no header says what is left", _named(named))
    said = f"{known}; the headers say {left.remaining} left, for {left.resets_in:.0f} s"
    return Finding("rate limit", "note" if left.remaining == 0 else "ok", said)


# payloads


def _payloads(conversations: Iterable[Conversation]) -> list[Json]:
    return [untyped(conversation.raw or b"null") for conversation in conversations]


def _readable(evidence: _Evidence) -> Finding:
    total = len(evidence.conversations) + len(evidence.unreadable)
    if evidence.unreadable:
        return Finding(
            "payloads", "failed", f"{len(evidence.unreadable)} of {total} unreadable", _named(evidence.unreadable)
        )
    issues = _named(
        f"{issue.place}: {issue.reason}" for conversation in evidence.conversations for issue in conversation.issues
    )
    if issues:
        return Finding("payloads", "note", f"{total} read, but not completely", issues)
    return Finding("payloads", "ok", f"{total} read completely")


# A speaker's label may be a person's name; a word that an adapter could know has this form.
_WORD: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def _unknown_words(conversations: Iterable[Conversation]) -> Iterator[str]:
    names: set[str] = set()
    for conversation in conversations:
        # Another member may have shown that it ended, although the word is unknown.
        is_known = conversation.status is not Status.UNKNOWN and "status" not in conversation.estimated
        if conversation.provider_status and not is_known:
            yield f"status: {conversation.provider_status}"
        if conversation.end_reason is EndReason.UNKNOWN and conversation.provider_end_reason:
            yield f"end reason: {conversation.provider_end_reason}"
        for called in _unknown_speakers(conversation):
            if _WORD.fullmatch(called):
                yield f"role: {called}"
            else:
                names.add(called)
    if names:
        yield f"role: {len(names)} not shown, because they may be people's names"


def _unknown_speakers(conversation: Conversation) -> Iterator[str]:
    for turn in conversation.transcript or ():
        if turn.role is Role.UNKNOWN and turn.participant is not None:
            yield conversation.participants[turn.participant].name or ""


def _found(check: str, found: Iterable[str], said: str, otherwise: str) -> Finding:
    each = dict.fromkeys(found)
    return Finding(check, "note", f"{len(each)}: {said}", _named(each)) if each else Finding(check, "ok", otherwise)


def _named(found: Iterable[str]) -> tuple[str, ...]:
    """Return what was found, each once and shortened, and how many more there are if they are very many."""
    each = list(dict.fromkeys(one_line(one, _LONGEST_NAME) for one in found))
    more = [f"and {len(each) - _MOST_NAMED} more"] if len(each) > _MOST_NAMED else []
    return (*each[:_MOST_NAMED], *more)
