"""The phone calls of a conversation of Intercom."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ...reading.participants import Participants, unknown_speaker
from ...reading.values import drop_if_before, instant, members_of, text, text_at
from ...schema import Issue, Recording, RecordingAccess, Role, TranscriptTurn
from ._payload import Call, FinCall

__all__ = ["joined", "length", "recordings", "spoken"]


def joined(calls: Sequence[Call | None], fin_calls: Sequence[FinCall | None]) -> list[Call | None]:
    """Return all calls, those that Fin answered with what it heard; a call may be known to one of the two only."""
    heard = {text(one.intercom_call_id): one for one in fin_calls if one is not None}
    found = [call and _with_transcript(call, heard.pop(text(call.id), None)) for call in calls]
    others = (one for one in fin_calls if one is not None and text(one.intercom_call_id) in heard)
    return [*found, *(_call_of(one) for one in others)]


def _with_transcript(call: Call, heard: FinCall | None) -> Call:
    if heard is None or call.transcript:
        return call
    return msgspec.structs.replace(call, transcript=heard.call_transcript)


def _call_of(heard: FinCall) -> Call:
    return Call(
        id=heard.intercom_call_id, state=heard.status, phone=heard.user_phone_number, transcript=heard.call_transcript
    )


# How a call's transcript names its speakers is documented for its text form only: "Teammate 1", "User".
_SPEAKER = re.compile(r"(?P<who>[a-z ]*[a-z]) ?\d*", re.IGNORECASE)
_CUSTOMERS = {"user", "lead", "contact", "visitor", "customer", "caller"}
_TEAMMATES = {"teammate", "admin", "team"}
_ASSISTANTS = {"fin", "bot", "ai", "ai agent", "assistant", "agent"}


def spoken(calls: Sequence[Call | None], participants: Participants) -> list[tuple[float | None, list[TranscriptTurn]]]:
    """Return what was said in each call, with the time of the call."""
    found: list[tuple[float | None, list[TranscriptTurn]]] = []
    for call in calls:
        said = [_utterance(members_of(one), participants) for one in (call.transcript if call else None) or ()]
        turns = [turn for turn in said if turn is not None]
        if call is not None and turns:
            moment = instant(call.answered_at, "", []) or instant(call.initiated_at, "", [])
            found.append((None if moment is None else moment.timestamp(), turns))
    return sorted(found, key=lambda each: (each[0] is None, each[0] or 0.0))


def _utterance(sent: dict[str, Any], participants: Participants) -> TranscriptTurn | None:
    """Read one entry of a transcript, whose members the specification leaves open."""
    said = next(filter(None, (text_at(sent, name) for name in ("text", "content", "body"))), None)
    if said is None:
        return None
    word = next(filter(None, (text_at(sent, name) for name in ("speaker", "role"))), None)
    labelled = _SPEAKER.fullmatch(word or "")
    who = labelled["who"].lower() if labelled else ""
    if who in _CUSTOMERS:
        speaks: tuple[Role, int | None] = (Role.USER, 1)
    elif who in _TEAMMATES:
        speaks = (Role.HUMAN_AGENT, participants.human_agent())
    elif who in _ASSISTANTS:
        speaks = (Role.ASSISTANT, 0)
    else:
        speaks = unknown_speaker(word, participants)
    return TranscriptTurn(index=0, role=speaks[0], text=said, participant=speaks[1])


def length(calls: Sequence[Call | None], issues: list[Issue]) -> float | None:
    """Return the seconds that people talked in all calls."""
    spans: list[float] = []
    for position, call in enumerate(calls):
        if call is not None:
            place = f"calls.data[{position}]"
            answered = instant(call.answered_at, f"{place}.answered_at", issues)
            instant(call.initiated_at, f"{place}.initiated_at", issues)
            ended = instant(call.ended_at, f"{place}.ended_at", issues)
            ended = drop_if_before(ended, answered, f"{place}.ended_at", issues)
            if answered and ended:
                spans.append((ended - answered).total_seconds())
    return sum(spans) if spans else None


_RECORDING = re.compile(r"(?:https?://[^/?#]+)?(?P<path>/calls/[^/?#]+/recording)")


def recordings(calls: Sequence[Call | None]) -> Iterator[Recording]:
    """Return where recordings are: paths that redirect to signed URLs."""
    urls = [url for call in calls if call is not None for url in (call.recording_url, call.fin_recording_url)]
    for url in dict.fromkeys(urls):
        found = _RECORDING.fullmatch(url or "")
        if found is not None:
            yield Recording(location=found["path"], access=RecordingAccess.PROVIDER_KEY)
