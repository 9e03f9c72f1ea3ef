"""Twilio Conversational Intelligence: transcripts of recorded calls, with what operators found in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Any
from urllib.parse import quote

import msgspec

from ...account import Account
from ...adapter import Query, RawPage
from ...errors import ForbiddenError, NotFoundError, PayloadError, RejectedError
from ...policy import sent_at
from ...reading.json import decode
from ...reading.lifecycle import concluded, is_too_early, may_still_come
from ...reading.participants import Participants, unknown_speaker
from ...reading.refusals import read_or_raise
from ...reading.values import (
    AnyJson,
    Id,
    Instant,
    Issues,
    Number,
    Seconds,
    add_seconds,
    ids_of,
    instant,
    json_text,
    members_of,
    noted,
    number,
    seconds,
    text,
    unless_empty,
    without_empty,
)
from ...schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Issue,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Word,
)
from ...wire import Flow, Request
from ._paging import Meta, all_pages, asked_for, following

__all__ = ["LEFT_TO_RAW", "PAGE_SIZE", "Heard", "Whole", "delete", "get", "list_page", "normalize", "read", "recording"]

# what Twilio sends


class Source(msgspec.Struct):
    """What was transcribed."""

    source_sid: Id | None = None


class Speaker(msgspec.Struct):
    """Who speaks on a channel of the recording."""

    channel_participant: Id | None = None
    role: str | None = None
    user_id: Id | None = None
    full_name: str | None = None
    email: str | None = None
    media_participant_id: str | None = None


class Medium(msgspec.Struct):
    """The recording, and who speaks in it."""

    media_properties: Source | None = None
    participants: list[Speaker | None] | None = None


class Heard(msgspec.Struct):
    """A transcript, without its sentences."""

    sid: Id
    service_sid: Id | None = None
    status: str | None = None
    channel: Medium | None = None
    language_code: str | None = None
    customer_key: Id | None = None
    media_start_time: Instant = None
    duration: Seconds | None = None
    redaction: bool | None = None
    encryption_credential_sid: Id | None = None
    date_created: Instant = None
    date_updated: Instant = None


class Spoken(msgspec.Struct):
    """A word."""

    word: str | None = None
    start_time: Number = None
    end_time: Number = None


class Sentence(msgspec.Struct):
    """A sentence."""

    sid: Id | None = None
    media_channel: Id | None = None
    transcript: str | None = None
    start_time: Number = None
    end_time: Number = None
    confidence: Number = None
    words: list[Spoken | None] | None = None


class Finding(msgspec.Struct):
    """What an operator found."""

    operator_type: str | None = None
    name: str | None = None
    operator_sid: Id | None = None
    extract_match: bool | None = None
    match_probability: AnyJson = None
    normalized_result: AnyJson = None
    utterance_results: AnyJson = None
    utterance_match: bool | None = None
    predicted_label: str | None = None
    predicted_probability: AnyJson = None
    label_probabilities: AnyJson = None
    extract_results: AnyJson = None
    text_generation_results: AnyJson = None
    json_results: AnyJson = None


class Sentences(msgspec.Struct):
    """One page of sentences."""

    sentences: list[Sentence | None] | None = None
    meta: Meta | None = None


class Findings(msgspec.Struct):
    """One page of what operators found."""

    operator_results: list[Finding | None] | None = None
    meta: Meta | None = None


class Whole(msgspec.Struct):
    """What `get` reads: a transcript with the pages of its sentences and of what operators found."""

    transcript: Heard
    sentences: list[Sentences]
    operator_results: list[Findings] | None = None


class Page(msgspec.Struct):
    """One page of the list."""

    transcripts: list[msgspec.Raw] | None = None
    meta: Meta | None = None


class Media(msgspec.Struct):
    """Where the recording is."""

    media_url: str | None = None


_heard = msgspec.json.Decoder(Heard, strict=False)
_sentences = msgspec.json.Decoder(Sentences, strict=False)
_findings = msgspec.json.Decoder(Findings, strict=False)
_page = msgspec.json.Decoder(Page, strict=False)
_media = msgspec.json.Decoder(Media, strict=False)

_LINKS = "an address of the API"

LEFT_TO_RAW = {
    "*meta.*": "where pages are, not what was said",
    "*account_sid": "the account itself",
    "*url": _LINKS,
    "*links": _LINKS,
    "*links.*": _LINKS,
    "*data_logging": "whether Twilio may learn from it",
    "*transcript_sid": "the transcript's own id",
    "*channel.type": "the kind of source, which its id shows",
    "*channel.media_properties.media_url": "a signed URL; the recording's is asked for again",
    "sentences[].sentences[].sentence_index": "the position, in which they come",
}

# what it means

# https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-resource
_STATUSES = {
    "new": Status.QUEUED,
    "queued": Status.QUEUED,
    "in-progress": Status.PROCESSING,
    "completed": Status.ENDED,
    "failed": Status.FAILED,
    "error": Status.FAILED,
    "canceled": Status.FAILED,
}
# The API does not say whether the agent is a program or a person.
_SPEAKERS = {"agent": (Role.ASSISTANT, 0), "customer": (Role.USER, 1)}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a transcript as Twilio sends it, in a list or alone; its sentences are another resource."""
    issues = Issues()
    sent = decode(body, _heard, issues)
    return read(sent, bytes(body), issues, state=TranscriptState.NOT_LOADED)


def read(
    sent: Heard,
    raw: bytes,
    issues: Issues,
    pages: Sequence[Sentences] | None = None,
    found: Sequence[Findings] = (),
    *,
    state: TranscriptState | None = None,
    present: datetime | None = None,
) -> Conversation:
    """Read a transcript; `state` replaces what follows from the rest, `present` is when it was sent."""
    place = "" if pages is None else "transcript."
    created_at = instant(sent.date_created, f"{place}date_created", issues)
    started_at = instant(sent.media_start_time, f"{place}media_start_time", issues)
    ended_at = add_seconds(started_at, sent.duration, f"{place}duration", issues)
    known = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    status = concluded(known, sent.status)

    agent, participants, speakers = _speakers(sent)
    zero = None if started_at is None else started_at.timestamp()
    turns = None if pages is None else tuple(_turns(pages, speakers, participants, zero, issues))
    if state is None:
        state = _transcript_state(sent, status, turns, created_at, present)
    findings = [one for page in found for one in page.operator_results or () if one is not None]
    source = sent.channel.media_properties if sent.channel else None
    derived = {
        "status": status is not known,
        "channel": True,
        "ended_at": ended_at is not None,
        "transcript.role": any(turn.role is Role.ASSISTANT for turn in turns or ()),
        "transcript.timestamp": zero is not None and any(turn.timestamp is not None for turn in turns or ()),
        "recordings": status is Status.ENDED,
    }
    return Conversation(
        provider="twilio",
        id=str(sent.sid),
        status=status,
        provider_status=sent.status,
        channel=Channel.PHONE,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        updated_at=instant(sent.date_updated, f"{place}date_updated", issues),
        duration=sent.duration,
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        summary=_summary(findings),
        analysis=unless_empty(_analysis(findings)),
        recordings=_recordings(sent) if status is Status.ENDED else (),
        language=text(sent.language_code),
        metadata=_metadata(sent, findings),
        related_ids=ids_of(
            {
                "service_sid": sent.service_sid,
                "source_sid": source.source_sid if source else None,
                "encryption_credential_sid": sent.encryption_credential_sid,
            }
        ),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=raw,
    )


_Speakers = Mapping[str, tuple[Role, int | None]]
"""Role and participant by the channel of the recording."""


def _speakers(sent: Heard) -> tuple[Agent, Participants, _Speakers]:
    told = [one for one in (sent.channel and sent.channel.participants) or () if one is not None]
    of = {(one.role or "").lower(): one for one in reversed(told)}
    ours, theirs = of.get("agent") or Speaker(), of.get("customer") or Speaker()
    agent = Agent(id=text(ours.user_id), name=text(ours.full_name))
    participants = Participants.of(
        agent,
        agent_phone=text(ours.media_participant_id),
        customer_id=text(theirs.user_id),
        customer_name=text(theirs.full_name),
        customer_phone=text(theirs.media_participant_id),
    )
    found = {
        str(one.channel_participant): _SPEAKERS.get((one.role or "").lower()) or unknown_speaker(one.role, participants)
        for one in told
        if one.channel_participant is not None
    }
    return agent, participants, found


def _turns(
    pages: Sequence[Sentences],
    speakers: _Speakers,
    participants: Participants,
    zero: float | None,
    issues: list[Issue],
) -> Iterator[TranscriptTurn]:
    index = 0
    for page_number, page in enumerate(pages):
        for position, one in enumerate(page.sentences or ()):
            place = f"sentences[{page_number}].sentences[{position}]"
            if one is None:
                issues.append(Issue(place, "null"))
                continue
            # Which channel is whose is not guessed: it depends on who called whom.
            channel = None if one.media_channel is None else str(one.media_channel)
            unknown = f"channel {channel}" if channel else None
            role, participant = speakers.get(channel or "") or unknown_speaker(unknown, participants)
            start = seconds(one.start_time, f"{place}.start_time", issues)
            end = seconds(one.end_time, f"{place}.end_time", issues)
            yield TranscriptTurn(
                index=index,
                role=role,
                text=one.transcript or "",
                start=start,
                duration=_span(start, end),
                timestamp=None if zero is None or start is None else round(zero + start, 6),
                participant=participant,
                confidence=seconds(one.confidence, f"{place}.confidence", issues),  # no span, but as tolerant
                words=tuple(_words(one.words or (), place, issues)),
                provider_id=text(one.sid),
            )
            index += 1


def _words(words: Sequence[Spoken | None], place: str, issues: list[Issue]) -> Iterator[Word]:
    for position, one in enumerate(words):
        if one is None or not one.word:
            continue
        start = seconds(one.start_time, f"{place}.words[{position}].start_time", issues)
        end = seconds(one.end_time, f"{place}.words[{position}].end_time", issues)
        yield Word(text=one.word, start=start, duration=_span(start, end))


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None or end < start else round(end - start, 6)


def _transcript_state(
    sent: Heard,
    status: Status,
    turns: Sequence[TranscriptTurn] | None,
    created_at: datetime | None,
    present: datetime | None,
) -> TranscriptState:
    if not status.is_finished and not (turns and status is Status.UNKNOWN):
        return TranscriptState.PENDING
    if sent.encryption_credential_sid:
        return TranscriptState.RESTRICTED
    if status is not Status.ENDED and not turns:
        # One that failed may be made again.
        return TranscriptState.PENDING if may_still_come(created_at, present) else TranscriptState.UNAVAILABLE
    is_early = is_too_early(turns, sent.duration, created_at, present)
    return TranscriptState.PENDING if is_early else TranscriptState.AVAILABLE


def _said_by(one: Finding) -> AnyJson:
    """Return what an operator found, whatever its type."""
    generated = members_of(one.text_generation_results).get("result", one.text_generation_results)
    candidates: tuple[AnyJson, ...] = (
        *(one.json_results, generated, one.predicted_label, one.normalized_result),
        *(one.extract_results, one.extract_match, one.utterance_results, one.utterance_match),
    )
    return next((value for value in candidates if value is not None), None)


def _summary(findings: Sequence[Finding]) -> str | None:
    for one in findings:
        if one.operator_type == "text-generation" and "summar" in (one.name or "").lower():
            return text(json_text(_said_by(one)))
    return None


def _analysis(findings: Sequence[Finding]) -> Analysis:
    collected = {one.name: _said_by(one) for one in findings if one.name and _said_by(one) is not None}
    scores = {
        one.name: score
        for one in findings
        if one.name and (score := _first(one.predicted_probability, one.match_probability)) is not None
    }
    feeling = next((one.predicted_label for one in findings if "sentiment" in (one.name or "").lower()), None)
    return Analysis(sentiment=text(feeling), scores=scores or None, collected=collected or None)


def _first(*found: AnyJson) -> float | None:
    return next((value for value in map(number, found) if value is not None), None)


def _recordings(sent: Heard) -> tuple[Recording, ...]:
    where = f"/v2/Transcripts/{quote(str(sent.sid), safe='')}/Media"
    return (Recording(location=where, access=RecordingAccess.PROVIDER_KEY, duration=sent.duration),)


def _metadata(sent: Heard, findings: Sequence[Finding]) -> dict[str, Any]:
    told = [one for one in (sent.channel and sent.channel.participants) or () if one is not None]
    return without_empty(
        {
            "customer_key": sent.customer_key,
            "redaction": sent.redaction,
            "channel_participants": [without_empty(msgspec.to_builtins(one)) for one in told] or None,
            "operator_results": [without_empty(msgspec.to_builtins(one)) for one in findings] or None,
        }
    )


# how to ask

HOST = "https://intelligence.twilio.com"
PAGE_SIZE = 1000
_WORDS = {Status.ENDED: "completed", Status.PROCESSING: "in-progress"}
_BELOW = "/v2/Transcripts/{id}"
_GRAIN = timedelta(seconds=1)


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is the query of its URL."""
    told = {
        # Whether the bounds are inclusive is not documented; the hub checks the rows.
        "AfterDateCreated": _iso(query.since - _GRAIN) if query.since else None,
        "BeforeDateCreated": _iso(query.until + _GRAIN) if query.until else None,
        "Status": _WORDS.get(query.status) if query.status else None,
        "PageSize": query.page_size or PAGE_SIZE,
    }
    asked = asked_for(query, told, cursor)
    # https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-resource
    reply = yield Request("GET", "/v2/Transcripts", asked, base_url=HOST, reads=_page)
    page = read_or_raise(reply, lambda body: decode(body, _page, []))
    if page.transcripts is None:
        raise PayloadError("the answer has no list of transcripts")
    return RawPage(rows=page.transcripts, normalize=normalize, cursor=following(page.meta))


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a transcript with its sentences and what operators found; one that is encrypted has its facts only."""
    ids = {"id": id}
    # https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-resource
    reply = yield Request("GET", _BELOW, ids=ids, base_url=HOST, reads=_heard)
    misfits = Issues()
    sent = read_or_raise(reply, lambda body: decode(body, _heard, misfits))
    present = sent_at(reply.headers)
    status = concluded(_STATUSES.get(sent.status or "", Status.UNKNOWN), sent.status)
    if sent.encryption_credential_sid or status not in {Status.ENDED, Status.UNKNOWN}:
        return read(sent, bytes(reply.body), misfits, present=present)
    issues = Issues([Issue(f"transcript.{one.place}", one.reason) for one in misfits])
    parts: dict[str, Any] = {"transcript": msgspec.Raw(reply.body)}
    asked = {"WordTimestamps": True, "PageSize": PAGE_SIZE}
    # https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-sentence-resource
    said = Request("GET", f"{_BELOW}/Sentences", asked, ids, base_url=HOST, reads=_sentences)
    parts["sentences"], sentences, wrong = yield from all_pages(said, _sentences, "sentences")
    issues += wrong
    findings: list[Findings] = []
    try:
        # https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-operator-results-resource
        found = Request(
            "GET", f"{_BELOW}/OperatorResults", {"PageSize": PAGE_SIZE}, ids, base_url=HOST, reads=_findings
        )
        parts["operator_results"], findings, wrong = yield from all_pages(found, _findings, "operator_results")
        issues += wrong
    except (ForbiddenError, NotFoundError, RejectedError) as error:
        issues.append(Issue("operator_results", f"could not be loaded: {type(error).__name__}"))
    return read(sent, msgspec.json.encode(parts), issues, sentences, findings, present=present)


def recording(_account: Account, recording: Recording) -> Flow[str]:
    """Ask for the URL of the recording that was transcribed; it is valid for a short time."""
    # https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-media-resource
    reply = yield Request("GET", recording.location, base_url=HOST)
    url = read_or_raise(reply, lambda body: decode(body, _media, [])).media_url
    if not url:
        raise NotFoundError("Twilio has no recording of this transcript")
    return url


def delete(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete a transcript; the recording stays."""
    # https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-resource
    yield Request("DELETE", _BELOW, ids={"id": id}, base_url=HOST, json=False)
