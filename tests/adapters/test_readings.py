"""Rules of reading that hold for every provider, each tried on minimal bodies of several."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from conversations_hub._scrub import without_secrets
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.events import Event
from conversations_hub.reading.plain_text import utterances
from conversations_hub.schema import Conversation, ParticipantKind, Role, Status, TranscriptState, TranscriptTurn
from conversations_hub.testing import drive
from conversations_hub.wire import Response

from ..support import exchanges

T = 1772445600.0
"""2026-03-02T10:00:00Z, in Unix seconds."""


BUCKET = "https://sessions.s3.amazonaws.com"


def answer(body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(200, headers or {}, json.dumps(body).encode())


def got(provider: str, *bodies: object, headers: dict[str, str] | None = None) -> Conversation:
    """Return what `get` makes of these answers; "provider:kind" is a kind of conversations of its own."""
    name, _, kind = provider.partition(":")
    adapter = load(name)
    get = adapter.resources[kind].get if kind else adapter.get
    assert get is not None
    account = exchanges.account(name)
    return drive(get(account, "c1"), *(answer(body, headers) for body in bodies)).result


def turns_of(conversation: Conversation) -> tuple[TranscriptTurn, ...]:
    assert conversation.transcript is not None
    return conversation.transcript


def telnyx(*messages: Any, **metadata: Any) -> list[object]:
    """Return the answers about a phone call at Telnyx that is over."""
    attached = {"telnyx_conversation_channel": "phone_call", **metadata}
    row = {"id": "c1", "created_at": "2026-03-02T10:00:00Z", "metadata": attached}
    page = {"total_pages": 1}
    return [{"data": row}, {"data": messages, "meta": page}, {"data": [{"status": "completed"}], "meta": page}]


# what is no record

STRAYS: dict[str, Callable[[Any], list[object]]] = {
    "liveavatar": lambda stray: [
        {"data": {"id": "c1", "end_at": "2026-03-02T10:01:00Z"}},
        {"data": {"transcript_data": [{"role": "user", "transcript": "Hi."}, stray]}},
    ],
    "anam": lambda stray: [
        {"id": "c1", "endTime": "2026-03-02T10:01:00Z"},
        {"messages": [{"role": "user", "message": "Hi."}, stray]},
    ],
    "anyreach": lambda stray: [
        {"id": "c1", "status": "completed", "conversation": {"items": [{"role": "user", "text": "Hi."}, stray]}}
    ],
    "beyond_presence": lambda stray: [
        {"id": "c1", "status": {"type": "completed"}},
        [{"sender": "user", "message": "Hi."}, stray],
    ],
    "bland": lambda stray: [
        {"call_id": "c1", "status": "completed", "transcripts": [{"user": "user", "text": "Hi."}, stray]}
    ],
    "elevenlabs": lambda stray: [
        {"conversation_id": "c1", "status": "done", "transcript": [{"role": "user", "message": "Hi."}, stray]}
    ],
    "bolna": lambda stray: [
        {"id": "c1", "status": "completed", "transcript": [{"role": "user", "content": "Hi."}, stray]}
    ],
    "fish_audio": lambda stray: [
        {"session_id": "c1", "status": "completed", "items": [{"role": "user", "content": "Hi."}, stray]}
    ],
    "intercom": lambda stray: [
        {"id": "c1", "conversation_parts": {"conversation_parts": [{"body": "Hi.", "author": {"type": "user"}}, stray]}}
    ],
    "chatwoot": lambda stray: [
        {"id": 1},
        {"payload": [{"id": 1, "content": "Hi.", "message_type": 0}, stray]},
        {"payload": []},
    ],
    "assemblyai": lambda stray: [
        {"id": "c1", "status": "completed", "artifacts": [{"type": "timeline", "url": f"{BUCKET}/timeline"}]},
        {"turns": [{"user_transcript": "Hi."}, stray]},
    ],
    "twilio": lambda stray: [
        {"sid": "c1", "state": "closed"},
        {"participants": [{"sid": "MB1", "messaging_binding": {"type": "sms"}}]},
        {"messages": [{"body": "Hi.", "participant_sid": "MB1"}, stray]},
    ],
    "retell": lambda stray: [
        {"call_id": "c1", "call_status": "ended", "transcript_object": [{"role": "user", "content": "Hi."}, stray]}
    ],
    "tavus": lambda stray: [
        {
            "conversation_id": "c1",
            "status": "ended",
            "events": [
                stray,
                {
                    "event_type": "application.transcription_ready",
                    "properties": {"transcript": [{"role": "user", "content": "Hi."}, stray]},
                },
            ],
        }
    ],
    "telnyx": lambda stray: telnyx({"role": "user", "text": "Hi."}, stray),
    "ultravox": lambda stray: [
        {"callId": "c1", "joined": "2026-03-02T10:00:00Z", "ended": "2026-03-02T10:01:00Z"},
        {"results": [{"role": "MESSAGE_ROLE_USER", "text": "Hi."}, stray]},
    ],
    "vapi": lambda stray: [
        {"id": "c1", "status": "ended", "artifact": {"messages": [{"role": "user", "message": "Hi."}, stray]}}
    ],
    "voiceable": lambda stray: [
        {"data": {"id": "c1", "status": "done", "transcript": [{"role": "user", "content": "Hi."}, stray]}}
    ],
    "cartesia": lambda stray: [
        {"id": "c1", "status": "completed", "transcript": [{"role": "user", "text": "Hi."}, stray]}
    ],
    "claude": lambda stray: [
        {"id": "c1", "status": "idle"},
        {"data": [{"type": "user.message", "content": [{"type": "text", "text": "Hi."}]}, stray]},
    ],
    "openai": lambda stray: [
        {"id": "c1", "status": "idle"},
        {
            "data": [{"id": "i1", "type": "message", "role": "user", "content": [{"text": "Hi."}]}, stray],
            "has_more": False,
        },
        {"data": [], "has_more": False},
    ],
    "openai:threads": lambda stray: [
        {"id": "c1", "status": {"type": "closed"}},
        {
            "data": [{"id": "i1", "type": "chatkit.user_message", "content": [{"text": "Hi."}]}, stray],
            "has_more": False,
        },
    ],
    "synthflow": lambda stray: [
        {"response": {"calls": [{"call_id": "c1", "status": "completed", "transcript": "human: Hi."}, stray]}}
    ],
    "synthflow:chats": lambda stray: [
        {"response": {"chat_id": "c1", "conversation_history": [{"agent_id": "user", "message": "Hi."}, stray]}}
    ],
    "bland:texts": lambda stray: [
        {"data": {"id": "c1", "is_active": False, "messages": [{"sender": "USER", "message": "Hi."}, stray]}}
    ],
    "retell:chats": lambda stray: [
        {
            "chat_id": "c1",
            "chat_status": "ended",
            "message_with_tool_calls": [{"role": "user", "content": "Hi."}, stray],
        }
    ],
    "vapi:chats": lambda stray: [{"id": "c1", "input": [{"role": "user", "content": "Hi."}, stray]}],
    "vapi:sessions": lambda stray: [
        {"id": "c1", "status": "completed", "messages": [{"role": "user", "content": "Hi."}, stray]}
    ],
}


@pytest.mark.parametrize("provider", STRAYS)
@pytest.mark.parametrize("stray", [None, 7, "secret", ["secret"], True], ids=str)
def test_one_entry_that_is_no_object_never_costs_the_conversation(provider: str, stray: object) -> None:
    told = got(provider, *STRAYS[provider](stray))

    assert [turn.text for turn in turns_of(told)] == ["Hi."]
    assert len(told.issues) == (2 if provider == "tavus" else 1)
    assert {issue.reason for issue in told.issues} == {"null" if stray is None else "not an object"}
    assert "secret" not in repr(told.issues)


# who speaks

TRANSFERRED: dict[str, list[object]] = {
    "retell": [
        {
            "call_id": "c1",
            "call_status": "ended",
            "transcript_with_tool_calls": [
                {"role": "agent", "content": "Hold on.", "words": [{"word": "Hold", "start": 0.0, "end": 1.0}]},
                {
                    "role": "transfer_target",
                    "content": "Dana here.",
                    "words": [{"word": "D", "start": 2.0, "end": 4.0}],
                },
                {"role": "user", "content": "Hi.", "words": [{"word": "Hi", "start": 4.0, "end": 4.5}]},
            ],
        }
    ],
    "bland": [
        {
            "call_id": "c1",
            "status": "completed",
            "corrected_transcript": [
                {"speaker_label": "assistant", "text": "Hold on.", "start": 0.0, "end": 1.0},
                {"speaker_label": "Representative", "text": "Dana here.", "start": 2.0, "end": 4.0},
                {"speaker_label": "user", "text": "Hi.", "start": 4.0, "end": 4.5},
            ],
        }
    ],
    "vapi": [
        {
            "id": "c1",
            "status": "ended",
            "artifact": {
                "messages": [
                    {"role": "bot", "message": "Hold on.", "time": 1000, "endTime": 2000},
                    {"role": "live-agent", "message": "Dana here.", "time": 3000, "endTime": 5000},
                    {"role": "user", "message": "Hi.", "time": 5000, "endTime": 5500},
                ]
            },
        }
    ],
    "tavus": [
        {
            "conversation_id": "c1",
            "status": "ended",
            "events": [
                {
                    "event_type": "application.transcription_ready",
                    "properties": {
                        "transcript": [
                            {"role": "pal", "content": "Hold on.", "duration": 1.0},
                            {"role": "human_agent", "content": "Dana here.", "duration": 2.0},
                            {"role": "user", "content": "Hi.", "duration": 0.5},
                        ]
                    },
                }
            ],
        }
    ],
}


WRITTEN_TO: dict[str, object] = {
    "bland:texts": {
        "data": {
            "id": "c1",
            "is_active": False,
            "messages": [{"sender": "AGENT"}, {"sender": "HUMAN_AGENT", "message": "Dana here."}, {"sender": "USER"}],
        }
    },
    "retell:chats": {
        "chat_id": "c1",
        "chat_status": "ended",
        "message_with_tool_calls": [
            {"role": "agent"},
            {"role": "live_agent", "content": "Dana here."},
            {"role": "user"},
        ],
    },
    "vapi:sessions": {
        "id": "c1",
        "status": "completed",
        "messages": [{"role": "bot"}, {"role": "human-agent", "content": "Dana here."}, {"role": "user"}],
    },
}


@pytest.mark.parametrize("kind", WRITTEN_TO)
def test_a_person_who_writes_in_the_agent_s_place_is_told_from_both(kind: str) -> None:
    told = got(kind, WRITTEN_TO[kind])
    [person] = told.human_agent_turns

    assert [turn.role for turn in turns_of(told)] == [Role.ASSISTANT, Role.HUMAN_AGENT, Role.USER]
    assert person.text == "Dana here."
    assert person.participant is not None
    assert told.participants[person.participant].kind is ParticipantKind.HUMAN_AGENT


@pytest.mark.parametrize("provider", TRANSFERRED)
def test_a_person_who_takes_over_is_neither_the_customer_nor_the_ai_agent(provider: str) -> None:
    told = got(provider, *TRANSFERRED[provider])
    agent, person, customer = turns_of(told)

    assert [agent.role, person.role, customer.role] == [Role.ASSISTANT, Role.HUMAN_AGENT, Role.USER]
    assert person.participant is not None
    assert told.participants[person.participant].kind is ParticipantKind.HUMAN_AGENT
    assert (told.agent_turns, told.human_agent_turns, told.user_turns) == ((agent,), (person,), (customer,))
    assert told.talk_time == {Role.ASSISTANT: 1.0, Role.HUMAN_AGENT: 2.0, Role.USER: 0.5}
    assert told.text.splitlines()[1] == "human_agent: Dana here."


def test_the_human_who_is_asked_to_take_over_is_a_human_in_that_call_too() -> None:
    rows = [{"user": "assistant", "text": "A caller waits."}, {"user": "user", "text": "Put them through."}]
    told = got("bland", {"call_id": "c1", "status": "completed", "is_proxy_agent_call": True, "transcripts": rows})

    assert [turn.role for turn in turns_of(told)] == [Role.ASSISTANT, Role.HUMAN_AGENT]
    assert told.user_turns == ()


def test_a_person_whose_number_is_known_is_not_added_once_more() -> None:
    said = {"role": "representative", "text": "Dana here.", "sent_at": "2026-03-02T10:00:20Z"}
    told = got("telnyx", *telnyx(said, said, ai_disabled="true"))

    assert {turn.participant for turn in turns_of(told)} == {2}
    assert [one.kind for one in told.participants[2:]] == [ParticipantKind.HUMAN_AGENT]


# where what could not be read stands

MISFITS: dict[str, tuple[list[object], str]] = {
    "liveavatar": (
        [{"data": {"id": "c1"}}, {"data": {"transcript_data": [{"absolute_timestamp": "soon"}]}}],
        "transcript[0].data.transcript_data[0].absolute_timestamp",
    ),
    "anam": ([{"id": "c1"}, {"messages": [{"role": "user", "timestamp": "soon"}]}], "transcript.messages[0].timestamp"),
    "anyreach": (
        [{"id": "c1", "status": "completed", "conversation": {"items": [{"role": "user", "text": 7}]}}],
        "conversation.items[0].text",
    ),
    "beyond_presence": ([{"id": "c1"}, [{"sender": "user"}, {"message": 7}]], "messages[1].message"),
    "bland": ([{"call_id": "c1", "transcripts": [{"user": "user", "text": 7}]}], "transcripts[0].text"),
    "elevenlabs": (
        [{"conversation_id": "c1", "metadata": {"cost": "a lot"}, "transcript": []}],
        "metadata.cost",
    ),
    "bolna": ([{"id": "c1", "transcript": [{"role": "user", "content": 7}]}], "transcript[0].content"),
    "fish_audio": ([{"session_id": "c1", "items": [{"role": "user", "content": 7}]}], "items[0].content"),
    "intercom": (
        [{"id": "c1", "conversation_parts": {"conversation_parts": [{"body": 7}]}}],
        "conversation_parts.conversation_parts[0].body",
    ),
    "chatwoot": ([{"id": 1}, {"payload": [{"content": 7}]}], "messages[0].payload[0].content"),
    "assemblyai": (
        [
            {"id": "c1", "artifacts": [{"type": "timeline", "url": f"{BUCKET}/timeline"}]},
            {"turns": [{"user_transcript": 7}]},
        ],
        "timeline.turns[0].user_transcript",
    ),
    "twilio": ([{"sid": "c1"}, {}, {"messages": [{"body": 7}]}], "messages[0].messages[0].body"),
    "retell": ([{"call_id": "c1", "transcript_object": [{"content": 7}]}], "transcript_object[0].content"),
    "tavus": (
        [{"conversation_id": "c1", "events": [{"event_type": "system.pal_joined", "timestamp": "soon"}]}],
        "events[0].timestamp",
    ),
    "telnyx": (telnyx({"role": "user", "sent_at": "soon"}), "messages[0].data[0].sent_at"),
    "ultravox": (
        [
            {"callId": "c1", "created": "2026-03-02T10:00:00Z"},
            {"results": [{"role": "MESSAGE_ROLE_USER"}], "next": "https://x.example/?cursor=2"},
            {"results": [{"role": "MESSAGE_ROLE_USER"}, {"text": 7}]},
        ],
        "messages[1].results[1].text",
    ),
    "vapi": ([{"id": "c1", "messages": [{"role": "user", "message": 7}]}], "messages[0].message"),
    "voiceable": ([{"data": {"id": "c1", "transcript": [{"content": 7}]}}], "data.transcript[0].content"),
    "cartesia": ([{"id": "c1", "transcript": [{"role": "user", "text": 7}]}], "transcript[0].text"),
    "claude": ([{"id": "c1"}, {"data": [{"type": "agent.message", "name": 7}]}], "events[0].data[0].name"),
    "openai": (
        [{"id": "c1"}, {"data": [{"type": "message", "role": 7}], "has_more": False}, {"data": [], "has_more": False}],
        "items[0].data[0].role",
    ),
    "openai:threads": (
        [
            {"id": "c1"},
            {"data": [{"id": "i1", "type": "chatkit.assistant_message", "created_at": "soon"}], "has_more": False},
        ],
        "items[0].data[0].created_at",
    ),
    "synthflow": ([{"response": {"calls": [{"call_id": "c1", "transcript": 7}]}}], "response.calls[0].transcript"),
    "synthflow:chats": (
        [{"response": {"chat_id": "c1", "conversation_history": [{"message": 7}]}}],
        "response.conversation_history[0].message",
    ),
    "bland:texts": ([{"data": {"id": "c1", "messages": [{"message": 7}]}}], "data.messages[0].message"),
    "retell:chats": (
        [{"chat_id": "c1", "message_with_tool_calls": [{"content": 7}]}],
        "message_with_tool_calls[0].content",
    ),
    "vapi:chats": ([{"id": "c1", "output": [{"role": "bot", "refusal": 7}]}], "output[0].refusal"),
    "vapi:sessions": ([{"id": "c1", "messages": [{"role": "bot", "message": 7}]}], "messages[0].message"),
}


def test_every_provider_is_tried() -> None:
    for tried in (STRAYS, MISFITS):
        assert {*BUILTIN} <= tried.keys()


@pytest.mark.parametrize("provider", MISFITS)
def test_what_could_not_be_read_is_named_by_its_whole_path(provider: str) -> None:
    bodies, place = MISFITS[provider]
    assert [issue.place for issue in got(provider, *bodies).issues] == [place]


def test_in_a_delivery_a_place_begins_at_the_delivery() -> None:
    deliveries: dict[str, tuple[object, str]] = {
        "beyond_presence": (
            {"event_type": "call_ended", "call_id": "c1", "messages": [{"sent_at": "soon"}]},
            "messages[0].sent_at",
        ),
        "cartesia": (
            {"type": "call_completed", "call": {"id": "c1", "start_time": "soon"}},
            "call.start_time",
        ),
        "fish_audio": (
            {
                "event": "call.analyzed",
                "session": {"id": "c1", "conversation_started_at": "soon", "duration_seconds": "long"},
                "items": [{"role": "user", "created_at": "then"}],
            },
            "items[0].created_at session.conversation_started_at session.duration_seconds",
        ),
        "intercom": (
            {"topic": "conversation.user.replied", "data": {"item": {"id": "c1", "title": 7, "updated_at": "soon"}}},
            "data.item.title data.item.updated_at",
        ),
        "chatwoot": (
            {"event": "message_created", "id": 1, "conversation": {"id": 1, "status": 7, "created_at": "soon"}},
            "conversation.created_at conversation.status",
        ),
        "retell": ({"event": "call_ended", "call": {"call_id": "c1", "agent_name": 7}}, "call.agent_name"),
        "tavus": (
            {"conversation_id": "c1", "event_type": "system.shutdown", "properties": {"reason": 7}},
            "properties.reason",
        ),
        "ultravox": ({"event": "call.ended", "call": {"callId": "c1", "joined": "soon"}}, "call.joined"),
        "vapi": (
            {"message": {"type": "end-of-call-report", "endedReason": 7, "call": {"id": "c1", "name": 7}}},
            "message.call.name message.endedReason",
        ),
    }
    for provider, (delivery, places) in deliveries.items():
        webhook = load(provider).webhook
        assert webhook is not None
        [event] = webhook.events(json.dumps(delivery).encode())
        assert event.conversation is not None
        assert " ".join(sorted(issue.place for issue in event.conversation.issues)) == places


# how long, and when

BEGIN, END = "2026-03-02T10:00:00Z", "2026-03-02T10:01:33Z"
STATED: list[tuple[str, list[object], float | None]] = [
    ("vapi", [{"id": "c1", "startedAt": BEGIN, "endedAt": END, "durationSeconds": 91.5}], 91.5),
    ("vapi", [{"id": "c1", "startedAt": BEGIN, "endedAt": END, "durationMs": 91500}], 91.5),
    ("vapi", [{"id": "c1", "durationMinutes": 1.5}], 90.0),
    ("vapi", [{"id": "c1", "startedAt": BEGIN, "endedAt": END, "durationMs": 91.5}], 91.5),
    ("retell", [{"call_id": "c1", "start_timestamp": 1000, "end_timestamp": 4000, "duration_ms": 2900}], 2.9),
    ("retell", [{"call_id": "c1", "start_timestamp": 1772445600000, "end_timestamp": 1772445693000}], 93.0),
    ("retell", [{"call_id": "c1", "start_timestamp": 1000, "end_timestamp": 4000}], 3.0),
    ("retell", [{"call_id": "c1", "start_timestamp": 1000, "end_timestamp": 61000, "duration_ms": 60}], 60.0),
    ("bland", [{"call_id": "c1", "status": "completed", "call_length": 93, "started_at": BEGIN, "end_at": END}], 93.0),
    (
        "bland",
        [{"call_id": "c1", "status": "completed", "call_length": 1.55, "started_at": BEGIN, "end_at": END}],
        93.0,
    ),
    ("bland", [{"call_id": "c1", "status": "completed", "call_length": 93}], 5580.0),
    (
        "bland",
        [{"call_id": "c1", "corrected_duration": "90", "call_length": 1.55, "started_at": BEGIN, "end_at": END}],
        90.0,
    ),
    ("anyreach", [{"id": "c1", "duration": 93}], 93.0),
    ("voiceable", [{"data": {"id": "c1", "duration": "1:33"}}], 93.0),
]


@pytest.mark.parametrize(("provider", "bodies", "duration"), STATED)
def test_a_stated_length_comes_first_in_the_unit_that_agrees_with_the_rest(
    provider: str, bodies: list[object], duration: float | None
) -> None:
    told = got(provider, *bodies)
    is_derived = provider == "retell" and "duration_ms" not in json.dumps(bodies)

    assert told.duration == pytest.approx(duration)
    assert ("duration" in told.estimated) is is_derived


@pytest.mark.parametrize(
    ("messages", "durations"),
    [
        ([{"duration": 1.8}], [1.8]),
        ([{"duration": 2108}], [2.108]),
        ([{"duration": 40, "secondsFromStart": 1}, {"secondsFromStart": 3}], [0.04, None]),
        ([{"duration": 1.5, "secondsFromStart": 1}, {"secondsFromStart": 3}], [1.5, None]),
        ([{"duration": 90}, {"time": 10000, "endTime": 12000, "duration": 2000}], [0.09, 2.0]),
        ([{"duration": 90}, {"time": 10000, "endTime": 12000, "duration": 2}], [90.0, 2.0]),
        ([{"duration": 1e9}], [None]),
    ],
)
def test_a_message_is_as_long_as_documented_unless_its_neighbours_prove_otherwise(
    messages: list[dict[str, Any]], durations: list[float | None]
) -> None:
    sent = [{"role": "user", "message": "Hi.", **message} for message in messages]
    told = got("vapi", {"id": "c1", "status": "ended", "artifact": {"messages": sent}})

    assert [turn.duration for turn in turns_of(told)] == durations


def test_an_instant_in_seconds_is_read_where_milliseconds_are_due_and_cannot_be() -> None:
    messages = [{"role": "user", "message": "Hi.", "time": T + 1.5, "endTime": T + 3.0, "secondsFromStart": 1.5}]
    vapi = got("vapi", {"id": "c1", "status": "ended", "artifact": {"messages": messages}})
    said = {"role": "user", "content": "Hi.", "created_timestamp": T + 1.5}
    retell = got("retell", {"chat_id": "c1", "start_timestamp": T, "message_with_tool_calls": [said]})

    assert [(turn.timestamp, turn.duration) for turn in turns_of(vapi)] == [(T + 1.5, 1.5)]
    assert [(turn.timestamp, turn.start) for turn in turns_of(retell)] == [(T + 1.5, 1.5)]
    for written in ({"input": [{**said, "time": T + 1.5}]}, {"messages": [{**said, "time": (T + 1.5) * 1000}]}):
        kind = "vapi:chats" if "input" in written else "vapi:sessions"
        assert [turn.timestamp for turn in turns_of(got(kind, {"id": "c1", **written}))] == [T + 1.5]


def test_dates_as_people_write_them_are_read() -> None:
    written = "Mon, 02 Mar 2026 10:00:00 GMT"
    moment = datetime(2026, 3, 2, 10, tzinfo=UTC)
    joined = {"event_type": "system.pal_joined", "timestamp": written}
    tavus = got("tavus", {"conversation_id": "c1", "created_at": written, "events": [joined]})
    voiceable = got("voiceable", {"data": {"id": "c1", "date": written}})

    assert (tavus.created_at, tavus.started_at, tavus.issues) == (moment, moment, ())
    assert got("vapi", {"id": "c1", "startedAt": written}).started_at == moment
    assert got("anyreach", {"id": "c1", "created_at": written}).created_at == moment
    assert got("bland", {"call_id": "c1", "started_at": written}).started_at == moment
    assert (voiceable.started_at, voiceable.metadata["date"]) == (moment, written)


@pytest.mark.parametrize("date", ["Mar 2, 2026", "yesterday", "02/03/2026 10:00"])
def test_a_date_nobody_can_be_sure_of_is_an_issue(date: str) -> None:
    told = got("tavus", {"conversation_id": "c1", "created_at": date})

    assert told.created_at is None
    assert [issue.place for issue in told.issues] == ["created_at"]


# what the customer attached

ORDER = {"order": "o-7"}
ATTACHED: list[tuple[str, object]] = [
    ("vapi", {"id": "c1", "status": "ended", "metadata": ORDER}),
    ("vapi", {"id": "c1", "metadata": "o-7"}),
    ("vapi", {"id": "c1", "assistant": {"name": "Lia", "metadata": ORDER}}),
    ("vapi", {"id": "c1", "assistantOverrides": {"metadata": ORDER}}),
    ("vapi", {"id": "c1", "assistantOverrides": {"variableValues": ORDER}}),
    ("vapi", {"id": "c1", "squadOverrides": {"variableValues": ORDER}}),
    ("vapi", {"id": "c1", "squad": {"name": "Desk", "membersOverrides": {"metadata": ORDER}}}),
    ("vapi", {"id": "c1", "workflowOverrides": {"variableValues": ORDER}}),
    ("vapi", {"id": "c1", "customer": {"assistantOverrides": {"metadata": ORDER}}}),
    ("retell", {"call_id": "c1", "metadata": ORDER}),
    ("retell", {"chat_id": "c1", "metadata": ["o-7"]}),
    ("retell", {"call_id": "c1", "custom_attributes": ORDER}),
    ("bland", {"call_id": "c1", "metadata": ORDER}),
    ("bland", {"call_id": "c1", "request_data": ORDER}),
    ("bland", {"call_id": "c1", "variables": {"metadata": ORDER}}),
    ("tavus", {"conversation_id": "c1", "metadata": ORDER}),
    ("anyreach", {"id": "c1", "custom_metadata": ORDER}),
    ("anyreach", {"id": "c1", "metadata": ORDER}),
    ("voiceable", {"data": {"id": "c1", "metadata": ORDER}}),
    (
        "elevenlabs",
        {"conversation_id": "c1", "conversation_initiation_client_data": {"dynamic_variables": ORDER}},
    ),
]


@pytest.mark.parametrize(("provider", "body"), ATTACHED)
def test_what_the_customer_attached_is_kept_wherever_it_stands(provider: str, body: object) -> None:
    assert '"o-7"' in json.dumps(got(provider, body).metadata)


def test_credentials_among_what_was_attached_are_hidden() -> None:
    for member in ("metadata", "assistant", "assistantOverrides", "squadOverrides", "customer"):
        attached = {"metadata": {"apiKey": "canary", "order": "o-7"}}
        body = {"id": "c1", member: attached if member != "customer" else {"assistantOverrides": attached}}
        read = got("vapi", body)
        told = json.dumps(without_secrets(read, load("vapi").secret_fields).metadata)
        assert '"o-7"' in told
        assert "canary" not in told


@pytest.mark.parametrize("odd", ["text", 7, [], True])
def test_overrides_of_another_form_cost_nothing(odd: object) -> None:
    names = ("squad", "squadOverrides", "workflowOverrides")
    told = got("vapi", {"id": "c1", **dict.fromkeys(names, odd), "customer": dict.fromkeys(names[1:], odd)})
    assert (told.id, told.issues) == ("c1", ())


# what is there as plain text only

PLAIN = "Agent: Hi.\nUser: Tuesday at ten.\nAddress: 5 Elm Street."
SPOKEN = [(Role.ASSISTANT, "Hi."), (Role.USER, "Tuesday at ten.\nAddress: 5 Elm Street.")]
AS_TEXT: list[tuple[str, object]] = [
    ("vapi", {"id": "c1", "status": "ended", "artifact": {"messages": [], "transcript": PLAIN.replace("Agent", "AI")}}),
    ("vapi", {"id": "c1", "status": "ended", "transcript": PLAIN.replace("Agent", "Assistant")}),
    (
        "vapi",
        {
            "id": "c1",
            "artifactPlan": {"transcriptPlan": {"assistantName": "Lia", "userName": "Caller"}},
            "artifact": {"transcript": PLAIN.replace("Agent", "Lia").replace("User", "Caller")},
        },
    ),
    ("bland", {"call_id": "c1", "concatenated_transcript": PLAIN.replace("Agent", "assistant").replace("\n", " \n ")}),
    ("bland", {"call_id": "c1", "transcripts": [], "concatenated_transcript": PLAIN.replace("Agent", "robot")}),
    ("retell", {"call_id": "c1", "transcript": PLAIN}),
    ("retell", {"call_id": "c1", "transcript": PLAIN, "transcript_with_tool_calls": []}),
    ("anyreach", {"id": "c1", "conversation": PLAIN}),
    ("anyreach", {"id": "c1", "conversation": {"transcript": PLAIN}}),
    ("voiceable", {"data": {"id": "c1", "transcript": PLAIN}}),
    ("elevenlabs", {"conversation_id": "c1", "transcript": PLAIN}),
    (
        "tavus",
        {
            "conversation_id": "c1",
            "events": [
                {
                    "event_type": "application.transcription_ready",
                    "properties": {"transcript": PLAIN.replace("Agent", "PAL")},
                }
            ],
        },
    ),
]


@pytest.mark.parametrize(("provider", "body"), AS_TEXT)
def test_what_was_said_is_read_from_plain_text_where_there_is_nothing_else(provider: str, body: object) -> None:
    told = got(provider, body)
    spoken = [(turn.role, "\n".join(line.strip() for line in turn.text.splitlines())) for turn in turns_of(told)]

    assert spoken == SPOKEN
    assert [turn.participant for turn in turns_of(told)] == [0, 1]
    assert "transcript" in told.estimated
    assert told.issues == ()


def test_plain_text_stands_beside_the_tools_where_no_entry_is_speech() -> None:
    called = {"role": "tool_calls", "toolCalls": [{"id": "t1", "function": {"name": "find"}}]}
    vapi = got("vapi", {"id": "c1", "artifact": {"messages": [called], "transcript": "AI: Hi."}})
    invoked = {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "find"}
    retell = got("retell", {"call_id": "c1", "transcript_with_tool_calls": [invoked], "transcript": "Agent: Hi."})

    for told in (vapi, retell):
        tool, speech = turns_of(told)
        assert (tool.tool_calls[0].name, speech.role, speech.text) == ("find", Role.ASSISTANT, "Hi.")


def test_plain_text_is_left_alone_where_the_entries_say_it() -> None:
    row = {"role": "bot", "message": "Hello."}
    told = got("vapi", {"id": "c1", "status": "ended", "artifact": {"messages": [row], "transcript": "AI: Hi."}})

    assert [turn.text for turn in turns_of(told)] == ["Hello."]
    assert "transcript" not in told.estimated


@pytest.mark.parametrize("agent", ["AI", "Agent", "assistant", "BOT", "Robot", "AI Agent"])
@pytest.mark.parametrize("user", ["User", "customer", "Caller", "Human"])
def test_labels_in_plain_text_need_not_be_the_provider_s_own_words(agent: str, user: str) -> None:
    plain = f"{agent}: Hi.\n{user}: Bye: bye."
    for provider, body in (
        ("vapi", {"id": "c1", "transcript": plain}),
        ("bland", {"call_id": "c1", "concatenated_transcript": plain}),
        ("retell", {"call_id": "c1", "transcript": plain}),
        ("voiceable", {"data": {"id": "c1", "transcript": plain}}),
    ):
        spoken = [(turn.role, turn.text) for turn in turns_of(got(provider, body))]
        assert spoken == [(Role.ASSISTANT, "Hi."), (Role.USER, "Bye: bye.")]


@pytest.mark.parametrize("label", ["a\nb", " ", "x" * 101])
def test_no_label_is_empty_long_or_of_several_lines(label: str) -> None:
    assert utterances(f"{label}: Hello", agent="agent", user="user", labels={label: "agent"}) == [
        (None, f"{label}: Hello".strip())
    ]


def test_blanks_around_a_label_are_none_of_it() -> None:
    assert utterances(" Ava : Hi", agent="agent", user="user", labels={" ava ": "agent"}) == [("agent", "Hi")]


def test_text_without_labels_is_nobody_s_but_still_there() -> None:
    [turn] = turns_of(got("vapi", {"id": "c1", "transcript": "Hello there.\nLia: yes"}))
    assert (turn.role, turn.text) == (Role.UNKNOWN, "Hello there.\nLia: yes")


def test_a_person_who_took_over_has_a_label_of_their_own() -> None:
    told = got("vapi", {"id": "c1", "transcript": "AI: Hold on.\nTransfer target: Dana here.\nUser: Hi."})

    assert [turn.role for turn in turns_of(told)] == [Role.ASSISTANT, Role.HUMAN_AGENT, Role.USER]


@pytest.mark.parametrize("plain", ["", " \n ", None])
def test_no_text_is_no_transcript(plain: str | None) -> None:
    for provider, body in (
        ("vapi", {"id": "c1", "status": "ended", "transcript": plain}),
        ("bland", {"call_id": "c1", "concatenated_transcript": plain}),
        ("anyreach", {"id": "c1", "conversation": plain}),
        ("voiceable", {"data": {"id": "c1", "transcript": plain}}),
    ):
        told = got(provider, body)
        assert told.transcript is None
        assert "transcript" not in told.estimated


# whether it is over

VAPI_SAID = {"messages": [{"role": "user", "message": "Hi."}]}
ELEVENLABS_SAID = [{"role": "user", "message": "Hi.", "time_in_call_secs": 1}]
OVER: list[tuple[str, object]] = [
    (
        "retell",
        {
            "call_id": "c1",
            "start_timestamp": 1772445600000,
            "end_timestamp": 1772445693000,
            "disconnection_reason": "user_hangup",
            "transcript": "Agent: Hello.\nUser: Bye.",
        },
    ),
    ("retell", {"call_id": "c1", "call_status": "settled", "end_timestamp": 1772445693000, "transcript": "User: Hi."}),
    ("retell", {"call_id": "c1", "disconnection_reason": "agent_hangup", "transcript": "User: Hi."}),
    ("retell", {"chat_id": "c1", "chat_status": "Finished", "transcript": "User: Hi."}),
    ("vapi", {"id": "c1", "status": "archived", "endedAt": END, "artifact": VAPI_SAID}),
    ("vapi", {"id": "c1", "endedReason": "customer-ended-call", "artifact": VAPI_SAID}),
    ("vapi", {"id": "c1", "status": "completed", "artifact": VAPI_SAID}),
    ("elevenlabs", {"conversation_id": "c1", "status": "finished", "transcript": ELEVENLABS_SAID}),
    (
        "elevenlabs",
        {"conversation_id": "c1", "transcript": ELEVENLABS_SAID, "metadata": {"call_duration_secs": 87}},
    ),
    (
        "elevenlabs",
        {
            "conversation_id": "c1",
            "status": "wrapped-up",
            "transcript": ELEVENLABS_SAID,
            "metadata": {"termination_reason": "Client disconnected"},
        },
    ),
    ("bland", {"call_id": "c1", "call_ended_by": "USER", "transcripts": [{"user": "user", "text": "Hi."}]}),
    ("bland", {"call_id": "c1", "corrected_duration": "87", "transcripts": [{"user": "user", "text": "Hi."}]}),
    ("anyreach", {"id": "c1", "duration": 87, "conversation": [{"role": "user", "content": "Hi."}]}),
    (
        "tavus",
        {
            "conversation_id": "c1",
            "status": "settled",
            "events": [
                {"event_type": "system.shutdown", "timestamp": END, "properties": {"reason": "max_call_duration"}},
                {
                    "event_type": "application.transcription_ready",
                    "properties": {"transcript": [{"role": "user", "content": "Hi."}]},
                },
            ],
        },
    ),
    ("anyreach", {"id": "c1", "summary": "Greeted.", "conversation": [{"role": "user", "content": "Hi."}]}),
    ("voiceable", {"data": {"id": "c1", "status": "settled", "call_successful": "success", "transcript": "User: Hi."}}),
    ("vapi:sessions", {"id": "c1", "status": "Closed", "messages": [{"role": "user", "content": "Hi."}]}),
]


@pytest.mark.parametrize(("provider", "body"), OVER)
def test_an_unknown_status_does_not_hide_a_known_end(provider: str, body: object) -> None:
    told = got(provider, body)

    assert told.status is Status.ENDED
    assert "status" in told.estimated
    assert told.transcript_state is TranscriptState.AVAILABLE
    assert turns_of(told)[-1].role is Role.USER


@pytest.mark.parametrize(
    ("provider", "body", "status"),
    [
        ("retell", {"call_id": "c1", "disconnection_reason": "dial_no_answer"}, Status.NO_ANSWER),
        ("retell", {"call_id": "c1", "disconnection_reason": "dial_failed"}, Status.FAILED),
        ("vapi", {"id": "c1", "status": "archived", "endedReason": "customer-busy"}, Status.NO_ANSWER),
        ("vapi", {"id": "c1", "endedReason": "pipeline-error-x"}, Status.FAILED),
        ("tavus", {"conversation_id": "c1", "shutdown_reason": "participant_absent_timeout"}, Status.NO_ANSWER),
    ],
)
def test_why_it_ended_tells_how_where_the_status_does_not(provider: str, body: object, status: Status) -> None:
    assert got(provider, body).status is status


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("retell", {"call_id": "c1", "call_status": "settled", "start_timestamp": 1772445600000}),
        ("vapi", {"id": "c1", "status": "parked", "startedAt": BEGIN}),
        ("vapi:sessions", {"id": "c1", "status": "parked", "messages": [{"role": "user", "content": "Hi."}]}),
        ("elevenlabs", {"conversation_id": "c1", "status": "parked", "transcript": ELEVENLABS_SAID}),
        ("bland", {"call_id": "c1", "status": "parked", "started_at": BEGIN}),
        ("tavus", {"conversation_id": "c1", "status": "parked", "events": [{"event_type": "system.pal_joined"}]}),
        ("anyreach", {"id": "c1", "status": "parked", "conversation": []}),
        ("voiceable", {"data": {"id": "c1", "status": "parked"}}),
    ],
)
def test_without_a_sign_of_an_end_an_unknown_status_stays_unknown(provider: str, body: object) -> None:
    told = got(provider, body)

    assert (told.status, told.transcript_state) == (Status.UNKNOWN, TranscriptState.PENDING)
    assert "status" not in told.estimated


def event_of(provider: str, delivery: object) -> Event:
    webhook = load(provider).webhook
    assert webhook is not None
    [event] = webhook.events(json.dumps(delivery).encode())
    return event


def conversation_of(event: Event) -> Conversation:
    assert event.conversation is not None
    return event.conversation


def test_what_is_delivered_after_the_end_has_ended_without_saying_so() -> None:
    data = {"conversation_id": "c1", "transcript": ELEVENLABS_SAID}
    elevenlabs = conversation_of(event_of("elevenlabs", {"type": "post_call_transcription", "data": data}))
    bland = conversation_of(event_of("bland", {"call_id": "c1", "transcripts": [{"user": "user", "text": "Hi."}]}))

    for told in (elevenlabs, bland):
        assert (told.status, told.transcript_state) == (Status.ENDED, TranscriptState.AVAILABLE)
        assert "status" in told.estimated


# whether more may come


@pytest.mark.parametrize(
    ("provider", "delivery"),
    [
        ("bland", {"call_id": "c1", "status": "completed", "corrected_duration": "87", "price": 0.1}),
        ("bland", {"call_id": "c1", "completed": True, "price": 0.1}),
        (
            "retell",
            {"event": "call_analyzed", "call": {"call_id": "c1", "call_status": "ended", "call_analysis": {}}},
        ),
        (
            "retell",
            {
                "event": "chat_analyzed",
                "chat": {"chat_id": "c1", "chat_status": "ended", "chat_analysis": {"chat_summary": "Done."}},
            },
        ),
        (
            "vapi",
            {"message": {"type": "end-of-call-report", "endedReason": "customer-ended-call", "call": {"id": "c1"}}},
        ),
        ("vapi:sessions", {"message": {"type": "session.updated", "session": {"id": "c1", "status": "completed"}}}),
        ("vapi:chats", {"message": {"type": "chat.created", "chat": {"id": "c1"}}}),
    ],
)
def test_a_delivery_that_leaves_the_transcript_out_says_nothing_of_it(provider: str, delivery: object) -> None:
    event = event_of(provider.partition(":")[0], delivery)

    assert conversation_of(event).transcript is None
    assert conversation_of(event).transcript_state is TranscriptState.PENDING
    assert event.to_fetch == f"{event.provider}:c1"


ENDED_AT = datetime(2026, 3, 2, 10, 1, 27, tzinfo=UTC)  # 87 s after it began
SILENT: dict[str, object] = {
    "elevenlabs": {
        "conversation_id": "c1",
        "status": "done",
        "transcript": [],
        "metadata": {"start_time_unix_secs": 1772445600, "call_duration_secs": 87},
    },
    "retell": {
        "call_id": "c1",
        "call_status": "ended",
        "start_timestamp": 1772445600000,
        "end_timestamp": 1772445687000,
        "transcript_with_tool_calls": [],
    },
    "anyreach": {
        "id": "c1",
        "status": "completed",
        "created_at": BEGIN,
        "duration": 87,
        "conversation": {"items": []},
    },
    "voiceable": {"data": {"id": "c1", "status": "done", "created_at": BEGIN, "duration": 87, "transcript": []}},
}


@pytest.mark.parametrize("provider", SILENT)
@pytest.mark.parametrize(
    ("later", "is_due"), [(None, True), (timedelta(minutes=59), True), (timedelta(minutes=61), False)]
)
def test_a_long_conversation_without_a_word_is_pending_for_an_hour(
    provider: str,
    later: timedelta | None,
    is_due: bool,  # noqa: FBT001
) -> None:
    headers = {} if later is None else {"date": format_datetime(ENDED_AT + later, usegmt=True)}
    told = got(provider, SILENT[provider], headers=headers)

    assert (told.transcript_state is TranscriptState.PENDING) is is_due
    assert told.transcript is None or not is_due


def test_a_delivered_conversation_without_a_word_goes_by_when_it_was_delivered() -> None:
    for late, state in ((60, TranscriptState.PENDING), (7200, TranscriptState.AVAILABLE)):
        delivery = {
            "type": "post_call_transcription",
            "event_timestamp": 1772445687 + late,
            "data": SILENT["elevenlabs"],
        }
        assert conversation_of(event_of("elevenlabs", delivery)).transcript_state is state


# where in the conversation

INSTANTS = [0.0, 1.5, 6.0, 20.0, 21.2, 25.0]
COUNTED = [0.0, 1.4, 5.9, 0.0, 1.1, 4.9]  # from the start, and from a hand-over at 20 s


def vapi_at(offsets: list[float | None], instants: list[float | None], **more: Any) -> Conversation:
    messages = [
        {
            "role": "user",
            "message": "Hi.",
            "secondsFromStart": offset,
            "time": None if moment is None else (T + moment) * 1000,
            **more,
        }
        for offset, moment in zip(offsets, instants, strict=True)
    ]
    return got("vapi", {"id": "c1", "status": "ended", "artifact": {"messages": messages}})


def tavus_at(offsets: list[float | None], instants: list[float | None]) -> Conversation:
    entries = [
        {"role": "user", "content": "Hi.", "seconds_from_start": offset, "timestamp": moment and T + moment}
        for offset, moment in zip(offsets, instants, strict=True)
    ]
    ready = {"event_type": "application.transcription_ready", "properties": {"transcript": entries}}
    return got("tavus", {"conversation_id": "c1", "status": "ended", "events": [ready]})


def voiceable_at(offsets: list[float | None], instants: list[float | None]) -> Conversation:
    entries = [
        {"role": "user", "content": "Hi.", "time_in_call_secs": offset, "timestamp": moment and T + moment}
        for offset, moment in zip(offsets, instants, strict=True)
    ]
    return got("voiceable", {"data": {"id": "c1", "status": "done", "transcript": entries}})


def elevenlabs_at(offsets: list[float | None], instants: list[float | None]) -> Conversation:
    entries = [
        {
            "role": "user",
            "message": "Hi.",
            "time_in_call_secs": offset,
            "created_at_unix_ms": moment and (T + moment) * 1000,
        }
        for offset, moment in zip(offsets, instants, strict=True)
    ]
    return got("elevenlabs", {"conversation_id": "c1", "status": "done", "transcript": entries})


def session_at(offsets: list[float | None], instants: list[float | None]) -> Conversation:
    messages = [
        {"role": "user", "message": "Hi.", "secondsFromStart": offset, "time": moment and (T + moment) * 1000}
        for offset, moment in zip(offsets, instants, strict=True)
    ]
    return got("vapi:sessions", {"id": "c1", "status": "completed", "messages": messages})


TWO_CLOCKS: dict[str, Callable[[list[float | None], list[float | None]], Conversation]] = {
    "vapi": vapi_at,
    "tavus": tavus_at,
    "voiceable": voiceable_at,
    "elevenlabs": elevenlabs_at,
    "vapi:sessions": session_at,
}


def starts_of(told: Conversation) -> list[float | None]:
    return [turn.start for turn in turns_of(told)]


@pytest.mark.parametrize("provider", TWO_CLOCKS)
def test_a_clock_that_starts_again_at_a_hand_over_is_not_believed(provider: str) -> None:
    moments: list[float | None] = [moment + 100 for moment in INSTANTS]
    told = TWO_CLOCKS[provider]([*COUNTED], moments)

    assert starts_of(told) == pytest.approx(INSTANTS, abs=0.2)
    assert "transcript.start" in told.estimated


@pytest.mark.parametrize("provider", TWO_CLOCKS)
def test_a_clock_may_start_again_more_than_once_and_go_on_where_it_was(provider: str) -> None:
    instants = [10.0, 20.0, 40.0, 45.0, 70.0, 95.0, 100.0]
    offsets = [
        0.0,
        10.0,
        12.0,
        35.0,
        2.0,
        85.0,
        7.0,
    ]  # the third counts from 28 s, the fifth from 68 s, the last from 93 s
    told = TWO_CLOCKS[provider]([*offsets], [*instants])

    assert starts_of(told) == pytest.approx([moment - 10 for moment in instants], abs=0.2)


@pytest.mark.parametrize("provider", TWO_CLOCKS)
def test_a_turn_without_an_instant_lags_as_the_one_before(provider: str) -> None:
    told = TWO_CLOCKS[provider]([0.0, 4.0, 1.0, 2.0], [10.0, 14.0, 31.0, None])
    assert starts_of(told) == pytest.approx([0.0, 4.0, 21.0, 22.0], abs=0.2)


@pytest.mark.parametrize("provider", ["vapi", "tavus", "voiceable", "vapi:sessions"])
def test_clocks_that_differ_a_little_or_by_as_much_throughout_are_believed(provider: str) -> None:
    at = TWO_CLOCKS[provider]
    offsets: list[float | None] = [0.4, 1.1, 6.2, 5.9, 40.0]
    for moments in ([50.0, 51.5, 55.9, 56.0, 92.0], [None] * 5, [50.0, 50.0, 50.0, 50.0, 50.0]):
        told = at(offsets, [*moments])
        assert starts_of(told) == offsets
        assert "transcript.start" not in told.estimated


def test_a_prompt_that_was_noted_before_the_call_moves_nothing() -> None:
    prompt = {"role": "system", "message": "Be brief.", "time": T * 1000, "secondsFromStart": 0}
    said = {"role": "bot", "message": "Hi.", "time": (T + 25) * 1000, "secondsFromStart": 1.0}
    told = got("vapi", {"id": "c1", "status": "ended", "artifact": {"messages": [prompt, said]}})

    assert starts_of(told) == [0.0, 1.0]


WORDS: list[tuple[str, float, float]] = [
    ("in the clock that started again", 1.1, 1.0),
    ("in milliseconds of it", 1100.0, 1000.0),
    ("in Unix milliseconds", (T + 21.2) * 1000, 1000.0),
    ("from where it was said", 0.0, 1.0),
]


@pytest.mark.parametrize(("begin", "unit"), [case[1:] for case in WORDS], ids=[case[0] for case in WORDS])
def test_words_follow_the_turn_they_belong_to(begin: float, unit: float) -> None:
    words = [
        {"word": "Tuesday", "start": begin, "end": begin + 0.4 * unit},
        {"word": "then", "start": begin + 0.5 * unit, "end": begin + 0.7 * unit},
    ]
    told = vapi_at([0.0, 1.1], [0.0, 21.2], endTime=(T + 22) * 1000, metadata={"wordLevelConfidence": words})

    assert [word.start for word in turns_of(told)[1].words] == pytest.approx([21.2, 21.7], abs=0.2)
    assert [word.duration for word in turns_of(told)[1].words] == pytest.approx([0.4, 0.2], abs=0.01)


def test_of_two_clocks_the_one_that_did_not_start_again_is_believed() -> None:
    def span(begin: float) -> dict[str, str]:
        return {"start": f"{begin}s", "end": f"{begin + 1}s"}

    told = got(
        "ultravox",
        {"callId": "c1", "joined": BEGIN, "ended": END},
        {
            "results": [
                {"role": "MESSAGE_ROLE_AGENT", "text": "Hi.", "timespan": span(1.0), "wallClockTimespan": span(1.2)},
                {"role": "MESSAGE_ROLE_AGENT", "text": "Hi.", "timespan": span(20.0), "wallClockTimespan": span(0.5)},
            ]
        },
    )
    assert starts_of(told) == [1.2, 20.0]
