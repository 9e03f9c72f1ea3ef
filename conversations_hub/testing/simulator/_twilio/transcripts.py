"""Classic Intelligence: transcripts of recorded calls, with sentences and what operators make of them."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import Any
from urllib.parse import urlencode

from ....schema import Direction, EndReason, Role
from ....wire import Response
from .._corpus import Corpus
from .._instants import in_seconds
from .._truth import Phase, Truth, Turn
from .._world import Call, Kind, World, one_of, positive, reply
from .account import ACCOUNT, address, sid, vendor, written
from .pages import UNKNOWN, page, place, refusal

__all__ = ["TRANSCRIPTS", "answer", "file"]

_SERVICE = "GA00000000000000000000000000000001"
_MOST, _MOST_SENTENCES = 1000, 5000
_URL_LIVES = 3600
_SIGNING_KEY = b"simulated-media"
_LANGUAGES = {"english": "en-US", "spanish": "es-ES", "german": "de-DE", "japanese": "ja-JP"}

TRANSCRIPTS = Kind(("v2", "Transcripts"), partial(Corpus, "twilio:transcripts", prefix="GT5a6b7c8d9e0f1a2b3c4d5e"))


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer about transcripts; `rest` of the path comes behind theirs."""
    match call.method, rest:
        case "GET", ():
            return _list(call, world)
        case method, (id, *below):
            truth = world.find(id)
            return UNKNOWN if truth is None else _about(method, tuple(below), call, world, truth)
        case _:
            return UNKNOWN


def _about(method: str, below: tuple[str, ...], call: Call, world: World, truth: Truth) -> Response:
    match method, below:
        case "GET", ():
            return reply(200, _row(world, truth))
        case "DELETE", ():
            world.delete(truth)
            return Response(204, {}, b"")
        case "GET", ("Sentences",):
            return _pages(call, "sentences", list(_sentences(call, world, truth)), most=_MOST_SENTENCES)
        case "GET", ("OperatorResults",):
            return _pages(call, "operator_results", list(_results(world, truth)), most=_MOST)
        case "GET", ("Media",):
            return _media(call, world, truth)
        case _:
            return UNKNOWN


# https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-resource
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    token = place(call)
    if wrong or token is None:
        return refusal(400, f"Invalid {', '.join(wrong) or 'Page'}", code=20001)
    before = min(asked.get("BeforeDateCreated", inf), float(token.removeprefix("PT")) if token else inf)
    newest = world.newest(since=asked.get("AfterDateCreated"), before=None if before == inf else before)
    rows = ((truth, _row(world, truth)) for truth in newest)
    matching = ((f"PT{truth.created}", row) for truth, row in rows if _matches(truth, row, asked))
    return page(call, "transcripts", matching, most=_MOST, product="intelligence")


def _matches(truth: Truth, row: dict[str, Any], asked: dict[str, Any]) -> bool:
    started = truth.answered or truth.created
    return (
        asked.get("AfterStartTime", -inf) <= started < asked.get("BeforeStartTime", inf)
        and asked.get("Status") in {None, row["status"]}
        and asked.get("LanguageCode") in {None, row["language_code"]}
        and asked.get("ServiceSid") in {None, row["service_sid"]}
        and asked.get("SourceSid") in {None, _source(truth)}
    )


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("BeforeStartTime", "AfterStartTime", "BeforeDateCreated", "AfterDateCreated"), in_seconds),
    "Status": one_of(("new", "queued", "in-progress", "completed", "failed", "error", "canceled")),
}


def _row(world: World, truth: Truth) -> dict[str, Any]:
    id = world.id(truth)
    url = f"{vendor('intelligence')}/v2/Transcripts/{id}"
    is_done = _is_done(world, truth)
    below = {"sentences": "Sentences", "media": "Media", "operator_results": "OperatorResults"}
    return {
        "account_sid": ACCOUNT,
        "service_sid": _SERVICE,
        "sid": id,
        "date_created": written(truth.created),
        "date_updated": written(min(truth.ended, world.present) if truth.ended < inf else world.present),
        "status": _status(world, truth),
        "channel": _channel(truth),
        "data_logging": False,
        "language_code": _LANGUAGES.get(truth.scenario.language, "en-US"),
        "media_start_time": written(truth.answered) if is_done and truth.answered and truth.variant & 1 else None,
        "duration": int(truth.duration) if is_done else 0,
        "customer_key": f"C-{truth.customer}" if truth.variant >> 1 & 1 else None,
        "url": url,
        "redaction": True,
        "encryption_credential_sid": None,
        "links": {
            **{name: f"{url}/{path}" for name, path in below.items()},
            "encrypted_sentences": f"{url}/Sentences/Encrypted",
            "encrypted_operator_results": f"{url}/OperatorResults/Encrypted",
        },
    }


def _status(world: World, truth: Truth) -> str:
    match truth.phase(world.present):
        case Phase.QUEUED | Phase.RINGING:
            return "queued"
        case Phase.LIVE | Phase.PROCESSING:
            return "in-progress"
        case _:
            return _ENDS.get(truth.ending, "completed")


_ENDS = {EndReason.ERROR: "failed", EndReason.NO_ANSWER: "error", EndReason.CANCELLED: "canceled"}


def _is_done(world: World, truth: Truth) -> bool:
    return _status(world, truth) == "completed"


def _source(truth: Truth) -> str:
    return sid("RE", truth.index)


def _channels(truth: Truth) -> dict[Role, int]:
    """Return the channel of each speaker in the recording: the caller is in the first."""
    is_inbound = truth.direction is Direction.INBOUND
    return {Role.USER: 1, Role.ASSISTANT: 2} if is_inbound else {Role.USER: 2, Role.ASSISTANT: 1}


def _channel(truth: Truth) -> dict[str, Any]:
    if truth.variant >> 2 & 7 == 7:
        return {}  # nobody said who is who
    channels = _channels(truth)
    customer = {"channel_participant": channels[Role.USER], "media_participant_id": truth.phone, "role": "Customer"}
    agent = {"channel_participant": channels[Role.ASSISTANT], "full_name": truth.scenario.agent, "role": "Agent"}
    return {
        "type": "voice",
        "media_properties": {"source_sid": _source(truth), "media_url": None},
        "participants": sorted((customer, agent), key=lambda one: str(one["channel_participant"])),
    }


# https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-sentence-resource
def _sentences(call: Call, world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    if not _is_done(world, truth):
        return
    channels, variant = _channels(truth), truth.variant
    spoken = [turn for turn in world.turns(truth) if turn.tool is None]
    for index, turn in enumerate(spoken):
        channel = channels[turn.role]
        is_timed = variant >> 3 & 7 > 0  # of some, nobody knows the times
        yield {
            "media_channel": str(channel) if variant >> 6 & 1 else channel,
            "sentence_index": index,
            "start_time": _span(variant, turn.start) if is_timed else None,
            "end_time": _span(variant, turn.start + turn.duration) if is_timed else None,
            "transcript": turn.text,
            "sid": sid("GX", world.id(truth), index),
            "confidence": _span(variant, 0.94) if is_timed else None,
            "words": list(_words(turn)) if is_timed and call.query.get("WordTimestamps") == "true" else None,
        }


def _span(variant: int, seconds: float) -> str | float:
    """Return a number, as text or not."""
    return f"{seconds:.2f}" if variant >> 7 & 1 else round(seconds, 2)


def _words(turn: Turn) -> Iterator[dict[str, Any]]:
    words = turn.text.split()
    each = turn.duration / max(len(words), 1)
    for number, word in enumerate(words):
        start = turn.start + number * each
        yield {"word": word, "start_time": round(start, 3), "end_time": round(start + each, 3)}


# https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-operatorresult-resource
def _results(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    if not _is_done(world, truth):
        return
    id = world.id(truth)
    base = f"{vendor('intelligence')}/v2/Transcripts/{id}/OperatorResults"
    empty = dict.fromkeys(
        (
            *("extract_match", "match_probability", "normalized_result", "utterance_results", "utterance_match"),
            *("predicted_label", "predicted_probability", "label_probabilities", "extract_results"),
            *("text_generation_results", "json_results"),
        )
    )
    label = "positive" if truth.success else "negative"
    summary = {"format": "text", "result": truth.summary}
    told: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("text-generation", "Conversation Summary", {"text_generation_results": summary}),
        (
            "conversation-classify",
            "Sentiment Analysis",
            {"predicted_label": label, "predicted_probability": "0.93", "label_probabilities": {label: 0.93}},
        ),
        ("extract", "order", {"extract_match": True, "extract_results": {"order": [truth.facts["order"]]}}),
    )
    for kind, name, members in told:
        operator = sid("LY", name)
        common = {"operator_type": kind, "name": name, "operator_sid": operator, "transcript_sid": id}
        yield {**empty, **common, **members, "url": f"{base}/{operator}"}


def _pages(call: Call, key: str, rows: list[dict[str, Any]], *, most: int) -> Response:
    token = place(call)
    if token is None:
        return refusal(400, "Invalid Page", code=20001)
    first = int(token.removeprefix("PT")) + 1 if token else 0
    placed = ((f"PT{number}", row) for number, row in enumerate(rows) if number >= first)
    return page(call, key, placed, most=most, product="intelligence")


# https://www.twilio.com/docs/conversation-intelligence-classic/api/transcript-media-resource
def _media(call: Call, world: World, truth: Truth) -> Response:
    if truth.answered is None or not _is_done(world, truth):
        return UNKNOWN
    id, expires = world.id(truth), str(int(world.present) + _URL_LIVES)
    base = f"{address(call, 'intelligence')}/v2"
    asked = urlencode({"Expires": expires, "Signature": _signature(id, expires)})
    told = {"account_sid": ACCOUNT, "service_sid": _SERVICE, "sid": id, "media_url": f"{base}/Files/{id}.wav?{asked}"}
    return reply(200, {**told, "url": f"{vendor('intelligence')}/v2/Transcripts/{id}/Media"})


def _signature(id: str, expires: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(_SIGNING_KEY, f"{id}\n{expires}".encode(), "sha256")).decode()


def file(call: Call, world: World) -> Response:
    """Return the sound of a call, to anyone with its URL until that expires."""
    id, expires = call.segments[-1].removesuffix(".wav"), call.query.get("Expires", "")
    if call.query.get("Signature") != _signature(id, expires) or (positive(expires) or 0) < world.present:
        return Response(403, {"content-type": "text/plain"}, b"Forbidden")
    return Response(200, {"content-type": "audio/wav"}, b"RIFF" + bytes(2000))
