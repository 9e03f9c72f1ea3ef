"""Ultravox as its documentation and its clients describe it: pages that name the next by URL, messages apart."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from email.utils import formatdate
from itertools import islice, takewhile
from math import ceil, inf
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, iso, one_of, positive, reply, whole

__all__ = ["SIMULATED", "answer"]

_DEFAULT_SIZE = 50
_MOST_CALLS = 200
_MOST_MESSAGES = 20
"""Neither is documented; more is cut to this without a word."""
_AT_ONCE = 5
"""How many created calls may run at once."""
_JOIN_TIMEOUT = 30.0
_PICK_UP = 8.0
"""Seconds until somebody answers a call that was asked for."""
_BILLING_DELAY = TRANSCRIPT_DELAY + 30.0
_STEP = 6
"""Seconds that are billed at a time."""
_AUDIO_DRIFT = 0.98
"""By how much the clock of the audio is slower than the one on the wall."""


def answer(call: Call, world: World) -> Response:
    """Answer as Ultravox does."""
    key = _key(call)
    if not key or key.startswith("bad"):
        return _refusal(401, "Invalid API key.")
    match call.method, call.segments:
        case "GET", ("api", "calls"):
            return _list(call, world, _asked_agents(call))
        case "GET", ("api", "agents", agent, "calls"):
            return _list(call, world, {agent})
        case "POST", ("api", "calls"):
            return _create(call, world, None)
        case "POST", ("api", "agents", agent, "calls"):
            return _create(call, world, agent)
        case method, ("api", "calls", id, *rest):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about(method, tuple(rest), call, world, truth)
        case _:
            return _UNKNOWN


def _about(method: str, rest: tuple[str, ...], call: Call, world: World, truth: Truth) -> Response:
    match method, rest:
        case "GET", ():
            return reply(200, _row(world, truth, world.present), _dated(world))
        case "GET", ("messages",):
            return _list_messages(call, world, truth)
        case "GET", ("stages",):
            return _paged(call, [_stage(world, truth, number) for number in range(_stages(truth))], _MOST_CALLS)
        case "GET", ("recording",):
            return _recording(world, truth)
        case "POST", ("send_data_message",):
            return _receive(call, world, truth)
        case "DELETE", ():
            return _delete(world, truth)
        case _:
            return _refusal(405, f'Method "{method}" not allowed.')


# https://docs.ultravox.ai/api-reference/calls/calls-list
def _list(call: Call, world: World, agents: set[str]) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        return reply(400, {name: ["Enter a valid value."] for name in wrong})
    size: int = min(asked.pop("pageSize", _DEFAULT_SIZE), _MOST_CALLS)
    boundary: float | None = asked.pop("cursor", None)
    newest_first = asked.pop("sort", "-created") == "-created"
    newest = world.newest(until=asked.get("toDate"), before=boundary if newest_first else None)
    calls: Iterable[Truth] = takewhile(lambda truth: truth.created >= asked.get("fromDate", -inf), newest)
    if not newest_first:
        calls = (truth for truth in reversed(list(calls)) if truth.created > (boundary or 0.0))
    if asked or agents:
        calls = (truth for truth in calls if _matches(world, truth, asked, agents))
    found: list[Truth] = list(islice(calls, size + 1))
    # Both ends of a walk were seen, null and an empty text; and so was a total of 0 above a page of rows.
    end = "" if boundary is None else None
    return reply(
        200,
        {
            "next": _next(call, iso(found[size - 1].created)) if len(found) > size else end,
            "previous": None,
            "total": 0 if asked or agents else len(world),
            "results": [_row(world, truth, world.present) for truth in found[:size]],
        },
        _dated(world),
    )


def _dated(world: World) -> dict[str, str]:
    return {"date": formatdate(world.present, usegmt=True)}


def _asked_agents(call: Call) -> set[str]:
    return {value for name, value in parse_qsl(urlsplit(call.target).query) if name == "agentIds"}


def _next(call: Call, position: str) -> str:
    """Return the URL of the next page, on the host that was asked."""
    host = call.headers.get("host")
    base = f"http://{host}/ultravox" if host else "https://api.ultravox.ai"
    cursor = base64.b64encode(f"p={position}".encode()).decode()
    kept = [(name, value) for name, value in parse_qsl(urlsplit(call.target).query) if name != "cursor"]
    return f"{base}{urlsplit(call.target).path}?{urlencode([('cursor', cursor), *kept])}"


def _position(text: str) -> str | None:
    try:
        position = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return None
    return position.removeprefix("p=") if position.startswith("p=") else None


def _moment(text: str, *, at_end: bool = False) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) == len("2026-03-02") and at_end:
        moment += timedelta(days=1, microseconds=-1)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _span(text: str) -> float | None:
    return float(text[:-1]) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?s", text) else None


def _time(text: str) -> time | None:
    return time.fromisoformat(text) if re.fullmatch(r"([01][0-9]|2[0-3])(:[0-5][0-9]){2}", text) else None


_READERS: dict[str, Callable[[str], Any]] = {
    "cursor": lambda text: _moment(_position(text) or ""),
    "pageSize": positive,
    "fromDate": _moment,
    "toDate": lambda text: _moment(text, at_end=True),
    "timeOfDayStart": _time,
    "timeOfDayEnd": _time,
    "durationMin": _span,
    "durationMax": _span,
    "sort": one_of(("created", "-created")),
}


def _matches(world: World, truth: Truth, asked: Mapping[str, Any], agents: set[str]) -> bool:
    row = _row(world, truth, world.present)
    lasted = truth.duration if row["ended"] else 0.0
    o_clock = datetime.fromtimestamp(truth.created, UTC).time()
    wanted = {name.removeprefix("metadata."): value for name, value in asked.items() if name.startswith("metadata.")}
    return (
        (not agents or row["agentId"] in agents)
        and asked.get("voiceId") in {None, row["voice"]}
        and asked.get("durationMin", 0.0) <= lasted <= asked.get("durationMax", inf)
        and asked.get("timeOfDayStart", time.min) <= o_clock <= asked.get("timeOfDayEnd", time.max)
        and all(row["metadata"].get(name) == value for name, value in wanted.items())
        and asked.get("search", "").lower() in f"{row['summary']} {row['agent']}".lower()
    )


# https://docs.ultravox.ai/api-reference/calls/calls-get
def _row(world: World, truth: Truth, moment: float) -> dict[str, Any]:
    details = world.details(truth)
    joined = truth.answered is not None and truth.answered <= moment
    ended = truth.ended <= moment
    billed = moment >= truth.ended + _BILLING_DELAY
    told = joined and moment >= truth.ended + TRANSCRIPT_DELAY
    agent = details["agentId"] if details else _agent(truth)
    medium = details.get("medium") or _medium(truth)
    kind = next(iter(medium))
    dialled = "outgoing" in medium[kind]
    sip = {"billedDuration": _billed(truth.ended - truth.created), "terminationReason": _SIP_ENDINGS.get(truth.ending)}
    return {
        "callId": world.id(truth),
        "clientVersion": "phone(api_v0)" if truth.channel == Channel.PHONE else "web_0.4.6",
        "created": iso(truth.created),
        "joined": iso(truth.answered) if joined and truth.answered else None,
        "ended": iso(truth.ended) if ended else None,
        "endReason": _reason(truth) if ended else None,
        "billedDuration": _billed(truth.duration) if billed else None,
        "billedSideInputTokens": 0 if billed else None,
        "billedSideOutputTokens": 0 if billed else None,
        "billingStatus": f"BILLING_STATUS_{_billing(truth) if billed else 'PENDING'}",
        "firstSpeaker": "FIRST_SPEAKER_USER" if dialled else "FIRST_SPEAKER_AGENT",
        "firstSpeakerSettings": {"user": {}} if dialled else {"agent": {}},
        "inactivityMessages": [],
        "initialOutputMedium": "MESSAGE_MEDIUM_VOICE",
        "joinTimeout": details.get("joinTimeout") or f"{_JOIN_TIMEOUT:g}s",
        "joinUrl": None if ended or dialled else f"wss://voice.ultravox.ai/calls/{world.id(truth)}?token=simulated",
        "languageHint": details.get("languageHint") or _LANGUAGES.get(truth.scenario.language),
        "maxDuration": details.get("maxDuration") or _longest(truth),
        "medium": medium,
        "model": details.get("model") or "ultravox-v0.7",
        "recordingEnabled": bool(details.get("recordingEnabled", truth.variant & 1)),
        "retentionPolicy": "retain" if truth.variant & 2 else None,
        "systemPrompt": details.get("systemPrompt") or _prompt(truth, _stages(truth) - 1),
        "temperature": 0.0,
        "timeExceededMessage": None,
        "voice": details.get("voice") or f"b28f5a1e-2f4d-4a0a-9d7c-{truth.scenario.number:012}",
        "transcriptOptional": True,
        "vadSettings": None,
        "shortSummary": truth.title if told else None,
        "summary": truth.summary if told else None,
        "agent": {"agentId": agent, "name": truth.scenario.agent} if agent else None,
        "agentId": agent,
        "experimentalSettings": None,
        "metadata": (details.get("metadata") or {}) if details else _metadata(truth, kind),
        "initialState": details.get("initialState") or {},
        "requestContext": _context(truth) if medium.get("sip") == {"incoming": {}} else None,
        "dataConnectionConfig": details.get("dataConnection"),
        "callbacks": details.get("callbacks"),
        "sipDetails": sip if ended and kind == "sip" else None,
    }


def _agent(truth: Truth) -> str:
    return f"5d0c2a61-8f0e-4a55-9b1e-{truth.scenario.number:012}"


def _medium(truth: Truth) -> dict[str, Any]:
    if truth.channel == Channel.CHAT:
        return {"serverWebSocket": {"inputSampleRate": 48000, "clientBufferSizeMs": 30000}}
    if truth.channel != Channel.PHONE:
        return {"webRtc": {"dataMessages": {"transcript": True}}}
    # What only the telephone network knows of a call, only SIP tells.
    cancelled = truth.ending == EndReason.CANCELLED
    carrier = "sip" if cancelled else ("twilio", "telnyx", "plivo", "sip")[truth.variant >> 2 & 3]
    if truth.direction == Direction.INBOUND:
        return {carrier: {"incoming": {}} if carrier == "sip" else {}}
    if carrier == "sip":
        account = {"username": "simulated-user", "password": "simulated-password"}
        return {"sip": {"outgoing": {"to": f"sip:{truth.phone}@sip.example.com", "from": "+14155550199", **account}}}
    return {carrier: {"outgoing": {"to": truth.phone, "from": "+14155550199"}}}


# https://docs.ultravox.ai/telephony/sip
def _context(truth: Truth) -> dict[str, Any]:
    named = {"caller_id": truth.phone, "from_display_name": truth.facts["name"]}
    return {"ultravox": {"sip": {**named, "from_uri": f"sip:{truth.phone}@sip.example.com"}}}


def _metadata(truth: Truth, medium: str) -> dict[str, str]:
    attached = {"order_id": truth.facts["order"]} if truth.variant & 16 else {}
    if medium != "plivo":
        return attached
    return attached | {f"ultravox.plivo.{name}": f"{name}-{truth.index:x}" for name in ("call_id", "stream_id")}


def _reason(truth: Truth) -> str:
    if truth.answered is None:
        return "system_error" if truth.ending == EndReason.ERROR else "unjoined"
    return _REASONS.get(truth.ending, "agent_hangup")


_REASONS = {
    EndReason.CUSTOMER_ENDED: "hangup",
    EndReason.MAX_DURATION: "timeout",
    EndReason.ERROR: "connection_error",
}
_SIP_ENDINGS = {
    EndReason.CUSTOMER_ENDED: "SIP_TERMINATION_NORMAL",
    EndReason.AGENT_ENDED: "SIP_TERMINATION_NORMAL",
    EndReason.NO_ANSWER: "SIP_TERMINATION_TIMEOUT",
    EndReason.CANCELLED: "SIP_TERMINATION_CANCELED",
}


def _billing(truth: Truth) -> str:
    if truth.answered is None:
        return "FREE_SYSTEM_ERROR" if truth.ending == EndReason.ERROR else "FREE_ZERO_EFFECTIVE_DURATION"
    return "FREE_MINUTES" if truth.variant & 32 else "BILLED"


def _billed(seconds: float) -> str:
    return f"{ceil(seconds / _STEP) * _STEP}s"


def _longest(truth: Truth) -> str:
    return f"{int(truth.duration)}s" if truth.ending == EndReason.MAX_DURATION else "3600s"


_LANGUAGES = {"english": "en", "spanish": "es", "german": "de", "japanese": "ja"}


# https://docs.ultravox.ai/agents/call-stages
def _stages(truth: Truth) -> int:
    return 1 + (truth.variant >> 6 & 3 == 0)


def _stage_id(truth: Truth, number: int) -> str:
    return f"9a1c3f70-52b0-4f0e-{number:04}-{truth.index:012x}"


def _prompt(truth: Truth, stage: int) -> str:
    return f"You are {truth.scenario.agent}, step {stage + 1}. Speak {truth.scenario.language}."


def _stage(world: World, truth: Truth, number: int) -> dict[str, Any]:
    row = _row(world, truth, world.present)
    kept = ("callId", "created", "model", "voice", "languageHint", "temperature", "initialState")
    own = {"callStageId": _stage_id(truth, number), "systemPrompt": _prompt(truth, number), "errorCount": 0}
    return {name: row[name] for name in kept} | own


# https://docs.ultravox.ai/api-reference/calls/calls-messages-list
def _list_messages(call: Call, world: World, truth: Truth) -> Response:
    mode = call.query.get("mode", "last_stage")
    if mode not in {"last_stage", "in_call"}:
        return reply(400, {"mode": [f'"{mode}" is not a valid choice.']})
    messages = list(_messages(world, truth))
    if mode == "last_stage":
        last = _stage_id(truth, _stages(truth) - 1)
        # What the model was given to begin with stands there too, though nobody said it in this call.
        given = {"role": "MESSAGE_ROLE_USER", "text": "(from an earlier call)", "callStageId": last}
        messages = [given, *(message for message in messages if message["callStageId"] == last)]
    return _paged(call, messages, _MOST_MESSAGES)


def _paged(call: Call, rows: Sequence[Any], most: int) -> Response:
    size = positive(call.query.get("pageSize", str(_DEFAULT_SIZE)))
    offset = whole(_position(call.query["cursor"]) or "") if "cursor" in call.query else 0
    if size is None or offset is None:
        return _refusal(404, "Invalid cursor.")
    end = offset + min(size, most)
    following = _next(call, str(end)) if end < len(rows) else None
    return reply(200, {"next": following, "previous": None, "total": len(rows), "results": rows[offset:end]})


def _messages(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    # https://docs.ultravox.ai/webhooks/available-webhooks
    # They are final once the end of the call is told; here none is there before.
    if truth.answered is None or truth.phase(world.present) != Phase.SETTLED:
        return
    turns = world.turns(truth)
    stages = _stages(truth)
    counts = [0] * stages
    for place, turn in enumerate(turns):
        number = min(stages - 1, place * 2 // len(turns))
        for message in _told(turn, old=truth.variant >> 8 & 7 == 0):
            message["callStageId"] = _stage_id(truth, number)
            if counts[number]:  # a zero is left out
                message["callStageMessageIndex"] = counts[number]
            counts[number] += 1
            yield message


def _told(turn: Turn, *, old: bool) -> Iterator[dict[str, Any]]:
    passed = _timespan(turn.start, turn.start + turn.duration)
    # Calls of earlier years had one clock only.
    clocks = {"timespan": passed}
    if not old:
        end = (turn.start + turn.duration) * _AUDIO_DRIFT
        clocks = {"timespan": _timespan(turn.start * _AUDIO_DRIFT, end), "wallClockTimespan": passed}
    tool = turn.tool
    if tool is None:
        role = "MESSAGE_ROLE_AGENT" if turn.role == Role.ASSISTANT else "MESSAGE_ROLE_USER"
        yield {"role": role, "text": turn.text, "medium": "MESSAGE_MEDIUM_VOICE", **clocks}
        return
    named = {"invocationId": tool.call_id, "toolName": tool.name}
    yield {"role": "MESSAGE_ROLE_TOOL_CALL", "text": tool.arguments, **named, **clocks}
    failed = {"errorDetails": "HTTP 504 from tools.example.com"} if tool.is_error else {}
    yield {"role": "MESSAGE_ROLE_TOOL_RESULT", "text": tool.result, **named, **failed}


def _timespan(start: float, end: float) -> dict[str, str]:
    return {name: f"{round(offset, 6):.6f}s" for name, offset in (("start", start), ("end", end)) if offset}


# https://docs.ultravox.ai/api-reference/calls/calls-recording-get
def _recording(world: World, truth: Truth) -> Response:
    row = _row(world, truth, world.present)
    if not row["ended"] or not row["joined"] or not row["recordingEnabled"]:
        return _UNKNOWN
    if truth.variant & 4:
        return Response(302, {"location": f"https://storage.example.com/{world.id(truth)}.wav?signed=simulated"}, b"")
    return Response(200, {"content-type": "audio/wav"}, _SILENCE)


_SILENCE = (
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\xbb\x00\x00\x00\x77\x01\x00\x02\x00\x10\x00data"
    + bytes(4)
)


# what calls change


# https://docs.ultravox.ai/api-reference/calls/calls-post
def _create(call: Call, world: World, agent: str | None) -> Response:
    try:
        wanted = msgspec.json.decode(call.body or b"{}", type=_Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _refusal(400, "JSON parse error")
    if len(wanted.medium) != 1 or not wanted.medium.keys() <= _MEDIA:
        return reply(400, {"medium": ["At most one call medium may be set."]})
    if any(name.startswith("ultravox.") for name in wanted.metadata):
        return reply(400, {"metadata": ['Keys may not start with "ultravox.".']})
    if sum(1 for truth in world.running() if world.details(truth)) >= _AT_ONCE:
        return reply(429, {"detail": "Too many concurrent calls."}, {"Retry-After": "5"})
    [line] = wanted.medium.values()

    def asked_for(truth: Truth) -> Truth:
        if "outgoing" not in line:  # nobody has its address yet
            waits = _span(wanted.join_timeout) or _JOIN_TIMEOUT
            return replace(truth, answered=None, ended=truth.created + waits, ending=EndReason.NO_ANSWER)
        answered = truth.created + _PICK_UP
        ended = answered + truth.planned
        return replace(truth, channel=Channel.PHONE, direction=Direction.OUTBOUND, answered=answered, ended=ended)

    truth = world.create({**(call.json or {}), "medium": wanted.medium, "agentId": agent}, asked_for)
    return reply(201, _row(world, truth, world.present))


class _Wanted(msgspec.Struct, rename="camel"):
    medium: dict[str, dict[str, Any]] = msgspec.field(default_factory=lambda: {"webRtc": {}})
    metadata: dict[str, str] = {}
    join_timeout: str = f"{_JOIN_TIMEOUT:g}s"


_MEDIA = {"webRtc", "serverWebSocket", "twilio", "telnyx", "plivo", "exotel", "sip"}


# https://docs.ultravox.ai/apps/datamessages
def _receive(call: Call, world: World, truth: Truth) -> Response:
    kind = (call.json or {}).get("type")
    if kind not in {"hang_up", "user_text_message", "forced_agent_message"}:
        return reply(400, {"type": ["This field is required."] if kind is None else ["Unsupported message type."]})
    if truth.phase(world.present) != Phase.LIVE:
        return _refusal(422, "Call is not active.")
    if kind == "hang_up":
        world.end(truth)
    return Response(204, {}, b"")


# https://docs.ultravox.ai/api-reference/calls/calls-delete
def _delete(world: World, truth: Truth) -> Response:
    if world.present < truth.ended + _BILLING_DELAY:
        return _refusal(425, "Call is ongoing or has not been billed yet.")
    world.delete(truth)
    return Response(204, {}, b"")


# what it delivers by itself


# https://docs.ultravox.ai/webhooks/available-webhooks
def _deliveries(world: World, truth: Truth) -> Sequence[Delivery]:
    finished = truth.ended + (0.0 if truth.answered is None else TRANSCRIPT_DELAY)
    moments = {
        "call.started": truth.created,
        "call.joined": truth.answered,
        "call.ended": finished,
        "call.billed": truth.ended + _BILLING_DELAY,
    }
    return [
        Delivery(moment, event, reply(200, {"event": event, "call": _row(world, truth, moment)}).body)
        for event, moment in moments.items()
        if moment is not None
    ]


# https://docs.ultravox.ai/webhooks/securing-webhooks
def _signed(delivery: Delivery, secret: str) -> Mapping[str, str]:
    stamp = iso(delivery.moment, "+00:00")
    # While one secret takes the place of another, each signs.
    secrets = ("simulated-former-secret", secret)
    digests = (hmac.digest(key.encode(), delivery.body + stamp.encode(), "sha256").hex() for key in secrets)
    return {"X-Ultravox-Webhook-Timestamp": stamp, "X-Ultravox-Webhook-Signature": ",".join(digests)}


def _key(call: Call) -> str:
    return call.headers.get("x-api-key", "")


def _refusal(status: int, words: str) -> Response:
    return reply(status, {"detail": words})


_UNKNOWN = _refusal(404, "Not found.")

SIMULATED = Simulated(
    prefix="0b0e6b5c-7c1e-4f3c-9d0a-00",  # with ten digits more, a UUID
    answer=answer,
    refusal=_refusal,
    key=_key,
    api_key="simulate.0123456789abcdef0123456789abcdef",
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret="simulated-webhook-secret",  # noqa: S106  (invented)
)
