"""ElevenLabs as its specification describes it: rows by an opaque cursor, whole seconds, credits, many refusals."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, takewhile
from math import inf
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, at_most, one_of, reply, whole

__all__ = ["SIMULATED", "answer"]

_DEFAULT_SIZE = 30
_MOST = 100
_PICK_UP = 8.0
"""Seconds until somebody answers a call that was asked for, or joins a session."""
_AUDIO_DELAY = 5.0
"""Seconds from the transcript to the recording."""
_CREDITS_PER_MINUTE = 400
_DOLLARS_PER_MINUTE = 0.08
# One silent frame of MPEG audio.
_SILENCE = b"\xff\xfb\x90\x00" + bytes(413)
_HUMAN = "+14155550198"
_DESK = "+14155550199"


def answer(call: Call, world: World) -> Response:
    """Answer as ElevenLabs does."""
    key = _key(call)
    if not key or key.startswith("bad"):
        return _refused(401, {"status": "invalid_api_key", "message": "Invalid API key"})
    match call.method, call.segments:
        case "GET", ("v1", "convai", "conversations"):
            return _list(call, world)
        case "GET", ("v1", "convai", "conversation", "token"):
            return _session(call, world)
        case "POST", ("v1", "convai", ("twilio" | "sip-trunk" | "exotel") as carrier, "outbound-call"):
            return _call_out(carrier, call, world)
        case method, ("v1", "convai", "conversations", id, *rest):
            truth = world.find(id)
            return _unknown(id) if truth is None else _about(method, tuple(rest), world, truth)
        case _:
            return _refused(404, "Not Found")


def _about(method: str, rest: tuple[str, ...], world: World, truth: Truth) -> Response:
    match method, rest:
        case "GET", ():
            return reply(200, _whole(world, truth, world.present))
        case "GET", ("audio",):
            if not _has_audio(truth, world.present):
                return _refused(404, {"status": "missing_audio", "message": "The conversation has no audio."})
            return Response(200, {"content-type": "audio/mpeg"}, _SILENCE * 8)
        case "DELETE", ():
            world.delete(truth)
            return reply(200, {})
        case _:
            return _refused(405, "Method Not Allowed")


# https://elevenlabs.io/docs/api-reference/conversations/list
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    lists = parse_qs(urlsplit(call.target).query)
    excluded = lists.get("exclude_statuses", [])
    wrong += ["exclude_statuses"] * (not {*excluded} <= {*_STATUSES.values()})
    if wrong:
        return _invalid(*(("query", name) for name in wrong))
    size: int = asked.get("page_size", _DEFAULT_SIZE)
    # Whether the bounds count is not documented; whole seconds are compared, and they do not.
    newest = world.newest(before=min(asked.get("cursor", inf), asked.get("call_start_before_unix", inf)))
    recent = takewhile(lambda truth: int(truth.created) > asked.get("call_start_after_unix", -inf), newest)
    matching = (truth for truth in recent if _matches(world, truth, asked, lists))
    found = list(islice(matching, size + 1))
    rows = [_row(world, truth, summary=asked.get("summary_mode") == "include") for truth in found[:size]]
    more = len(found) > size
    cursor = base64.urlsafe_b64encode(str(found[size - 1].created).encode()).decode() if more else None
    return reply(200, {"conversations": rows, "next_cursor": cursor, "has_more": more})


def _cursor(text: str) -> float | None:
    try:
        return float(base64.urlsafe_b64decode(text))
    except ValueError:
        return None


_READERS: dict[str, Callable[[str], Any]] = {
    "page_size": at_most(_MOST),
    "cursor": _cursor,
    "call_start_before_unix": whole,
    "call_start_after_unix": whole,
    "call_duration_min_secs": whole,
    "call_duration_max_secs": whole,
    "call_successful": one_of(("success", "failure", "unknown")),
    "summary_mode": one_of(("include", "exclude")),
    "sort_direction": one_of(("desc",)),
}


def _matches(world: World, truth: Truth, asked: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> bool:
    seconds = int(truth.duration)
    return (
        asked.get("agent_id") in {None, _agent(world, truth)}
        and asked.get("user_id") in {None, _user(truth)}
        and asked.get("call_successful") in {None, _verdict(truth, world.present)}
        and asked.get("call_duration_min_secs", 0) <= seconds <= asked.get("call_duration_max_secs", inf)
        and _status(truth, world.present) not in lists.get("exclude_statuses", ())
        and _language(truth) in lists.get("main_languages", (_language(truth),))
        and any(tag in lists.get("tag_ids", (tag,)) for tag in _tags(truth) or [""])
    )


def _row(world: World, truth: Truth, *, summary: bool) -> dict[str, Any]:
    judged = _is_judged(truth, world.present)
    heard = _heard(world, truth, world.present)
    tools = list(dict.fromkeys(turn.tool.name for turn in heard if turn.tool))
    return {
        "agent_id": _agent(world, truth),
        "branch_id": None,
        "version_id": f"agtvrsn_{1 + truth.variant % 3}",
        "agent_name": truth.scenario.agent,
        "conversation_id": world.id(truth),
        "start_time_unix_secs": int(truth.created),
        "call_duration_secs": _seconds(truth, world.present),
        "message_count": sum(turn.tool is None for turn in heard),
        "status": _status(truth, world.present),
        "termination_reason": _reason(truth, world.present),
        "call_successful": _verdict(truth, world.present),
        "call_success_score": None,
        "transcript_summary": truth.summary if judged and summary else None,
        "call_summary_title": truth.title if judged else None,
        "main_language": _language(truth) if judged else None,
        "conversation_initiation_source": _source(truth),
        "tool_names": tools,
        "direction": _direction(truth) if truth.channel == Channel.PHONE else None,
        "rating": 1 + truth.variant % 5 if truth.variant >> 5 & 3 == 0 else None,
        "sentiment_analysis": _sentiment(truth) if judged else None,
        "data_collection_results": None,  # unless their ids are asked for
        "evaluation_criteria_results": None,
        "tag_ids": _tags(truth),
    }


def _sentiment(truth: Truth) -> dict[str, Any]:
    label, score = {True: ("positive", 0.6), False: ("negative", -0.5), None: ("neutral", 0.0)}[truth.success]
    return {
        "overall_label": label,
        "overall_sentiment_score": score,
        "overall_frustration_score": round(0.5 - score / 2, 2),
        "min_user_sentiment_score": round(score - 0.3, 2),
        "max_user_frustration_score": round(0.6 - score / 2, 2),
        "num_scored_user_turns": truth.exchanges,
    }


# https://elevenlabs.io/docs/api-reference/conversations/get
def _whole(world: World, truth: Truth, moment: float) -> dict[str, Any]:
    client: dict[str, Any] = world.details(truth).get("conversation_initiation_client_data") or {}
    judged, audio = _is_judged(truth, moment), _has_audio(truth, moment)
    agent = _agent(world, truth)
    second = _second_agent(truth)
    variables = {"order": truth.facts["order"], "secret__crm_token": "simulated-secret"} if truth.variant & 1 else {}
    return {
        "agent_id": agent,
        "agent_name": truth.scenario.agent,
        "conversation_product": "agent",
        "status": _status(truth, moment),
        "user_id": _user(truth),
        "branch_id": None,
        "version_id": f"agtvrsn_{1 + truth.variant % 3}",
        "metadata": _metadata(truth, moment),
        "analysis": _analysis(truth) if judged else None,
        "visited_agents": [{"agent_id": one, "branch_id": None} for one in (agent, second) if one],
        "conversation_initiation_client_data": {
            "conversation_config_override": {},
            "custom_llm_extra_body": {},
            "user_id": _user(truth),
            "source_info": {"source": _source(truth), "version": None},
            "dynamic_variables": {**variables, **client.get("dynamic_variables", {})},
        },
        "environment": "production",
        "conversation_id": world.id(truth),
        "has_audio": audio,
        "has_user_audio": audio,
        "has_response_audio": audio,
        "has_auxiliary_audio": False,
        "transcript": list(_transcript(world, truth, moment)),
        "tag_ids": _tags(truth),
    }


def _metadata(truth: Truth, moment: float) -> dict[str, Any]:
    settled = truth.phase(moment) == Phase.SETTLED
    minutes = truth.duration / 60
    in_money = settled and truth.variant >> 3 & 1
    failed = _status(truth, moment) == "failed" and truth.ending == EndReason.ERROR
    answered = truth.answered if truth.answered is not None and truth.answered <= moment else None
    return {
        "start_time_unix_secs": int(truth.created),
        "accepted_time_unix_secs": None if answered is None else int(answered),
        "call_duration_secs": _seconds(truth, moment),
        "cost": round(minutes * _CREDITS_PER_MINUTE) if settled else None,
        "cost_fiat": round(minutes * _DOLLARS_PER_MINUTE, 7) if in_money else None,
        "deletion_settings": {"delete_transcript_and_pii": True, "delete_audio": True},
        "feedback": {"overall_score": None, "likes": 0, "dislikes": 0},
        "authorization_method": "public",
        "charging": {"dev_discount": False, "tier": "creator", "is_burst": False},
        "phone_call": _phone_call(truth) if truth.channel == Channel.PHONE else None,
        "batch_call": None,
        "termination_reason": _reason(truth, moment),
        "error": {"code": 1011, "reason": _reason(truth, moment)} if failed else None,
        "warnings": [],
        "main_language": _language(truth) if settled else None,
        "text_only": truth.channel in {Channel.CHAT, Channel.EMAIL},
        "features_usage": {"pii_zrm_workspace": False, "pii_zrm_agent": False},
        "conversation_initiation_source": _source(truth),
        "async_metadata": None,
        "whatsapp": None,
        "sms": None,
    }


def _phone_call(truth: Truth) -> dict[str, Any]:
    shared = {
        "direction": _direction(truth),
        "phone_number_id": "phnum_1",
        "agent_number": _DESK,
        "external_number": truth.phone,
    }
    if _source(truth) == "twilio":
        return {"type": "twilio", **shared, "stream_sid": f"MZ{truth.index:08x}", "call_sid": f"CA{truth.index:08x}"}
    ids = {"call_id": f"sip-{truth.index:08x}", "call_sid": f"otb_{truth.index:08x}"}
    return {"type": "sip_trunking", **shared, **ids, "sip_header_dynamic_variables": {}}


def _analysis(truth: Truth) -> dict[str, Any]:
    verdict = _VERDICTS[truth.success]
    order = {"data_collection_id": "order", "value": truth.facts["order"], "rationale": "The customer said so."}
    solved = {"criteria_id": "solved", "result": verdict, "rationale": "By the last words."}
    return {
        "evaluation_criteria_results": {"solved": solved},
        "data_collection_results": {"order": order},
        "evaluation_criteria_results_list": [solved],
        "data_collection_results_list": [order],
        "call_successful": verdict,
        "call_success_score": None,
        "transcript_summary": truth.summary,
        "call_summary_title": truth.title,
        "scoped": [],
    }


def _transcript(world: World, truth: Truth, moment: float) -> Iterator[dict[str, Any]]:
    agent, second = _agent(world, truth), _second_agent(truth)
    heard = _heard(world, truth, moment)
    for place, turn in enumerate(heard):
        speaker = second if second and place > len(heard) // 2 else agent
        for entry in _entries(turn, flat=bool(truth.variant >> 7 & 1)):
            yield entry | ({"agent_metadata": {"agent_id": speaker}} if entry["role"] == "agent" else {})
    if truth.ending == EndReason.TRANSFERRED and truth.answered is not None and moment >= truth.ended:
        yield from _handover(truth)


def _entries(turn: Turn, *, flat: bool) -> Iterator[dict[str, Any]]:
    if turn.tool is not None:
        named = {"request_id": turn.tool.call_id, "tool_name": turn.tool.name, "type": "webhook"}
        called = {**named, "params_as_json": turn.tool.arguments, "tool_has_been_called": True, "tool_details": None}
        answered = {
            **named,
            "result_value": turn.tool.result,
            "is_error": turn.tool.is_error,
            "is_blocked": False,
            "tool_has_been_called": True,
            "tool_latency_secs": 0.25,
        }
        yield _entry("agent", None, turn.start, tool_calls=[called])
        yield _entry("agent", None, turn.start, tool_results=[answered])
        return
    role = "user" if turn.role == Role.USER else "agent"
    more: dict[str, Any] = {}
    if turn.interrupted:
        more |= {"interrupted": True, "original_message": f"{turn.text} Is there anything else?"}
    if turn.latency:
        measured = {
            "convai_llm_service_ttfb": {"elapsed_time": round(turn.latency * 0.6, 4)},
            "convai_llm_service_ttf_sentence": {"elapsed_time": turn.latency},
        }
        # The specification and the documentation's example disagree.
        more["conversation_turn_metrics"] = measured if flat else {"metrics": measured}
    yield _entry(role, turn.text, turn.start, **more)


def _entry(role: str, message: str | None, start: float, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "role": role,
        "agent_metadata": None,
        "message": message,
        "tool_calls": [],
        "tool_results": [],
        "feedback": None,
        "time_in_call_secs": int(start),
        "conversation_turn_metrics": None,
        "interrupted": False,
        "original_message": None,
        "source_medium": None,
    }
    return plain | more


# https://elevenlabs.io/docs/eleven-agents/customization/tools/system-tools/transfer-to-human
def _handover(truth: Truth) -> Iterator[dict[str, Any]]:
    named = {"request_id": f"call_{truth.index:x}_human", "tool_name": "transfer_to_number", "type": "system"}
    result = {"result_type": "transfer_to_number_sip_success", "status": "success", "transfer_number": _HUMAN}
    told = msgspec.json.encode(result).decode()
    called = {**named, "params_as_json": "{}", "tool_has_been_called": True, "tool_details": None}
    answered = {**named, "result_value": told, "result": result, "is_error": False, "tool_has_been_called": True}
    yield _entry("agent", None, truth.duration, tool_calls=[called])
    yield _entry("agent", None, truth.duration, tool_results=[answered])


def _heard(world: World, truth: Truth, moment: float) -> list[Turn]:
    if truth.answered is None:
        return []
    until = min(moment, truth.ended) - truth.answered
    return [turn for turn in world.corpus.turns(truth) if turn.start <= until]


_STATUSES = {
    Phase.QUEUED: "initiated",
    Phase.RINGING: "initiated",
    Phase.LIVE: "in-progress",
    Phase.PROCESSING: "processing",
    Phase.SETTLED: "done",
    None: "failed",
}


def _status(truth: Truth, moment: float) -> str:
    phase = truth.phase(moment)
    has_failed = phase == Phase.SETTLED and (truth.answered is None or truth.ending == EndReason.ERROR)
    return _STATUSES[None if has_failed else phase]


def _reason(truth: Truth, moment: float) -> str:
    if truth.ended > moment:
        return ""
    if truth.answered is None:
        return "Missing required dynamic variables in first message" if truth.ending == EndReason.ERROR else ""
    over = "Call ended by remote party" if truth.channel == Channel.PHONE else "Client disconnected: 1000"
    words = {
        EndReason.AGENT_ENDED: "end_call tool was called.",
        EndReason.MAX_DURATION: f"Conversation exceeded maximum duration of {int(truth.duration)} seconds.",
        EndReason.ERROR: "custom_llm generation failed",
    }
    return words.get(truth.ending, over)


def _seconds(truth: Truth, moment: float) -> int:
    return int(truth.duration) if truth.ended <= moment else 0


def _is_judged(truth: Truth, moment: float) -> bool:
    return truth.answered is not None and truth.phase(moment) == Phase.SETTLED


def _has_audio(truth: Truth, moment: float) -> bool:
    return _is_judged(truth, moment) and truth.channel in {Channel.PHONE, Channel.WEB}


def _verdict(truth: Truth, moment: float) -> str:
    return _VERDICTS[truth.success if truth.phase(moment) == Phase.SETTLED else None]


_VERDICTS = {True: "success", False: "failure", None: "unknown"}


def _agent(world: World, truth: Truth) -> str:
    return world.details(truth).get("agent_id") or f"agent_{truth.scenario.number}"


def _second_agent(truth: Truth) -> str | None:
    return f"agent_{truth.scenario.number}_billing" if truth.variant >> 9 & 7 == 0 else None


def _user(truth: Truth) -> str:
    return f"user_{truth.customer}"


def _tags(truth: Truth) -> list[str]:
    return ["tag_recall"] if truth.variant >> 12 & 3 == 0 else []


def _language(truth: Truth) -> str:
    return {"english": "en", "spanish": "es", "german": "de", "japanese": "ja"}[truth.scenario.language]


def _direction(truth: Truth) -> str:
    return "outbound" if truth.direction == Direction.OUTBOUND else "inbound"


def _source(truth: Truth) -> str:
    match truth.channel:
        case Channel.PHONE:
            return "twilio" if truth.variant >> 4 & 1 else "sip_trunk"
        case Channel.EMAIL:
            return "zendesk_integration"
        case _:
            return "react_sdk"


# https://elevenlabs.io/docs/api-reference/twilio/outbound-call
def _call_out(carrier: str, call: Call, world: World) -> Response:
    body = call.json or {}
    missing = [name for name in ("agent_id", "agent_phone_number_id", "to_number") if not body.get(name)]
    if missing:
        return _invalid(*(("body", name) for name in missing))
    id = "sip_call_id" if carrier == "sip-trunk" else "callSid"
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", str(body["to_number"])):
        return reply(
            200, {"success": False, "message": "The number to call is not valid.", "conversation_id": None, id: None}
        )

    def calls(truth: Truth) -> Truth:
        answered = truth.created + _PICK_UP
        line = replace(truth, channel=Channel.PHONE, direction=Direction.OUTBOUND)
        return replace(line, answered=answered, ended=answered + truth.planned)

    truth = world.create(body, calls)
    placed = {"success": True, "message": "Success", "conversation_id": world.id(truth)}
    return reply(200, {**placed, id: f"CA{truth.index:08x}"})


# https://elevenlabs.io/docs/api-reference/conversations/get-webrtc-token
def _session(call: Call, world: World) -> Response:
    agent = call.query.get("agent_id")
    if not agent:
        return _invalid(("query", "agent_id"))

    def joins(truth: Truth) -> Truth:
        answered = truth.created + _PICK_UP
        web = replace(truth, channel=Channel.WEB, direction=Direction.INBOUND)
        return replace(web, answered=answered, ended=answered + truth.planned)

    id = world.id(world.create({"agent_id": agent}, joins))
    return reply(200, {"token": f"simulated.session.{id}", "conversation_id": id})


# https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks
def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    named = {"agent_id": _agent(world, truth), "conversation_id": world.id(truth)}
    if truth.answered is None:
        if truth.channel != Channel.PHONE or truth.direction != Direction.OUTBOUND:
            return []
        reason = "no-answer" if truth.ending == EndReason.NO_ANSWER else "unknown"
        body = {"CallSid": f"CA{truth.index:08x}", "CallStatus": reason, "To": truth.phone, "From": _DESK}
        told = {**named, "failure_reason": reason, "metadata": {"type": "twilio", "body": body}}
        return [_delivery("call_initiation_failure", truth.ended, told)]
    written = truth.ended + TRANSCRIPT_DELAY
    found = [_delivery("post_call_transcription", written, _whole(world, truth, written))]
    if _has_audio(truth, written):
        audio = base64.b64encode(_SILENCE * 8).decode()
        found.append(_delivery("post_call_audio", written + _AUDIO_DELAY, {**named, "full_audio": audio}))
    return found


def _delivery(kind: str, moment: float, data: dict[str, Any]) -> Delivery:
    body = {"type": kind, "event_timestamp": int(moment), "data": data}
    return Delivery(moment, kind, msgspec.json.encode(body))


def _signed(delivery: Delivery, secret: str) -> dict[str, str]:
    stamp = str(int(delivery.moment))
    signature = hmac.new(secret.encode(), stamp.encode() + b"." + delivery.body, hashlib.sha256).hexdigest()
    return {"ElevenLabs-Signature": f"t={stamp},v0={signature}"}


def _key(call: Call) -> str:
    return call.headers.get("xi-api-key", "")


def _refused(status: int, detail: object) -> Response:
    return reply(status, {"detail": detail})


def _invalid(*places: tuple[str, str]) -> Response:
    return _refused(
        422, [{"loc": list(place), "msg": "Input is missing or invalid", "type": "value"} for place in places]
    )


def _unknown(id: str) -> Response:
    code = "document_not_found"
    return _refused(404, {"type": "not_found", "code": code, "message": f"{id} not found", "status": code})


def _refusal(status: int, words: str) -> Response:
    code = "rate_limit_exceeded"
    return _refused(status, {"code": code, "message": words, "status": code} if status == 429 else words)


SIMULATED = Simulated(
    prefix="conv_",
    answer=answer,
    refusal=_refusal,
    key=_key,
    api_key="sk_simulated",
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret="wsec_simulated_0123456789abcdef",  # noqa: S106  (simulated, like everything here)
)
