"""AnyReach's traps: silent columns, a cursor the client builds, a transcript of unknown shape."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub import errors
from conversations_hub._scrub.members import scrubbed
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.anyreach import ADAPTER, end, get, list_page, normalize, refusal, send, start
from conversations_hub.reading.paging import Position
from conversations_hub.schema import (
    Agent,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
)
from conversations_hub.testing import Driven, drive, mutants, read_exchange
from conversations_hub.wire import Request, Response

from ..support.iterators import collected
from ..support.paths import FIXTURES
from ..support.simulated import simulated

RECORDED = FIXTURES / "anyreach"
ACCOUNT = Account("anyreach", key="ak_7.secret", settings={"org_id": "org_7"})
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
T = "2026-01-31T09:12:44.102938+00:00"
EARLIER = "2026-01-31T08:00:00+00:00"


def recorded(name: str) -> Response:
    return read_exchange(RECORDED / f"{name}.http")


def answer(body: object, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def row(id: str = "conv_1", created_at: object = T, **members: object) -> dict[str, Any]:
    return {"id": id, "status": "completed", "created_at": created_at, "conversation": None, **members}


def read(**members: Any) -> Conversation:
    return normalize(json.dumps(row(**members)).encode())


def page(answered: Response, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, Query(**query), cursor), answered)


def cursor_of(created_at: str, *seen: str) -> str:
    return str(Position(created_at, seen))


class TestConversation:
    def test_a_phone_call(self) -> None:
        call = normalize(recorded("get.phone.1").body)
        assert call.ref == "anyreach:conv_51"
        assert (call.status, call.provider_status, call.end_reason) == (Status.ENDED, "completed", None)
        assert (call.channel, call.direction) == (Channel.PHONE, Direction.INBOUND)
        assert call.agent == Agent(id="agent_3", name="Front desk", version="ver_9")
        assert call.participants == (
            Participant(kind=ParticipantKind.AI_AGENT, id="agent_3", name="Front desk", phone="+14155550199"),
            Participant(kind=ParticipantKind.CUSTOMER, id="+14155550100", phone="+14155550100"),
        )
        assert call.duration == 94
        assert call.summary == "The caller moved a booking to Friday."
        assert call.metadata == {
            "organization_id": "org_7",
            "trunk_id": "trunk_2",
            "user_turn_count": 2,
            "initial_context": "The caller has a booking on Thursday.",
            "recording_details": {"format": "ogg"},
            "custom": {"order_id": "77", "anyreach_campaign": "spring"},
        }
        assert call.issues == ()

    def test_the_times_are_estimates_made_of_creation_and_length(self) -> None:
        call = normalize(recorded("get.phone.1").body)
        created_at = datetime(2026, 1, 31, 9, 12, 44, 102938, UTC)
        assert (call.created_at, call.started_at) == (created_at, created_at)
        assert call.ended_at == created_at + timedelta(seconds=94)
        assert call.ended_at != call.updated_at
        assert call.estimated == ("started_at", "ended_at")

    @pytest.mark.parametrize(
        ("word", "status", "end_reason", "estimated"),
        [
            ("token_created", Status.QUEUED, None, ()),
            ("triggered", Status.QUEUED, None, ()),
            ("ringing", Status.RINGING, None, ()),
            ("in_progress", Status.IN_PROGRESS, None, ("started_at",)),
            ("completed", Status.ENDED, None, ("started_at", "ended_at")),
            ("transferred", Status.ENDED, EndReason.TRANSFERRED, ("started_at", "ended_at")),
            ("failed", Status.FAILED, EndReason.ERROR, ("started_at", "ended_at")),
            ("cancelled", Status.CANCELLED, EndReason.CANCELLED, ()),
            ("unanswered", Status.NO_ANSWER, EndReason.NO_ANSWER, ()),
            ("zz_new", Status.UNKNOWN, None, ()),
        ],
    )
    def test_the_status_words(
        self, word: str, status: Status, end_reason: EndReason | None, estimated: tuple[str, ...]
    ) -> None:
        told = read(status=word, duration=10)
        assert (told.status, told.provider_status, told.end_reason) == (status, word, end_reason)
        known = {"started_at": told.started_at, "ended_at": told.ended_at}
        assert tuple(name for name, at in known.items() if at is not None) == told.estimated == estimated

    def test_a_failed_call_without_a_length_never_started(self) -> None:
        assert read(status="failed", duration=None).started_at is None

    @pytest.mark.parametrize(
        ("word", "channel"),
        [
            ("telephone", Channel.PHONE),
            ("webrtc", Channel.WEB),
            ("email", Channel.EMAIL),
            ("text", Channel.CHAT),
            ("fax", Channel.UNKNOWN),
        ],
    )
    def test_the_channels(self, word: str, channel: Channel) -> None:
        assert read(channel=word).channel is channel

    def test_a_guest_and_a_mail_address_are_no_phone_numbers(self) -> None:
        told = read(user_id="guest_8c1f", agent_number="desk@example.com")
        agent, customer = told.participants
        assert (customer.id, customer.phone) == ("guest_8c1f", None)
        assert (agent.phone, told.metadata["agent_number"]) == (None, "desk@example.com")

    @pytest.mark.parametrize("agent", [{"id": "agent_3", "name": "Front desk"}, "Front desk", {}, None])
    def test_an_agent_in_any_form(self, agent: object) -> None:
        told = read(agent_id="agent_3", agent=agent).agent
        assert told == Agent(id="agent_3", name="Front desk" if agent else None)

    def test_custom_metadata_cannot_take_the_place_of_ours(self) -> None:
        told = read(organization_id="org_7", custom_metadata={"organization_id": "theirs", "custom": 1})
        assert told.metadata == {"organization_id": "org_7", "custom": {"organization_id": "theirs", "custom": 1}}

    @pytest.mark.parametrize(
        ("query", "expires_at"),
        [
            ("X-Amz-Date=20260131T091500Z&X-Amz-Expires=3600", datetime(2026, 1, 31, 10, 15, tzinfo=UTC)),
            ("Expires=1769854500&Signature=0f3c", datetime(2026, 1, 31, 10, 15, tzinfo=UTC)),
            ("sv=2025&se=2026-01-31T10%3A15%3A00Z&sig=0f3c", datetime(2026, 1, 31, 10, 15, tzinfo=UTC)),
            ("", None),
        ],
    )
    def test_a_recording_says_when_it_expires(self, query: str, expires_at: datetime | None) -> None:
        url = f"https://recordings.example.com/1.ogg?{query}"
        told = read(recording_details={"recording_url": url})
        (recording,) = told.recordings
        assert (recording.location, recording.access) == (url, RecordingAccess.SIGNED_URL)
        assert recording.expires_at == expires_at
        assert told.issues == ()
        assert told.links == {}

    @pytest.mark.parametrize(
        "url",
        [
            "https://example.com/1?X-Amz-Date=20260131T091500Z&X-Amz-Expires=9000000000000000",
            "https://example.com/1?X-Amz-Date=soon&X-Amz-Expires=60",
            "https://[example.com/1",
        ],
    )
    def test_an_expiry_nobody_can_read_is_noted(self, url: str) -> None:
        told = read(recording_details={"recording_url": url})
        assert told.recordings[0].expires_at is None
        assert [issue.place for issue in told.issues] == ["recording_details.recording_url"]

    def test_a_length_beyond_all_time_gives_no_end(self) -> None:
        told = read(duration=9e15)
        assert (told.ended_at, told.duration) == (None, None)
        assert told.issues == (Issue("duration", "Expected float < 1000000000.0"),)


class TestTranscriptState:
    def test_columns_stripped_in_silence_are_restricted(self) -> None:
        told = normalize(recorded("get.read_only.1").body)
        assert (told.transcript, told.transcript_state) == (None, TranscriptState.RESTRICTED)
        assert told.duration == 63
        assert told.issues == ()

    @pytest.mark.parametrize("column", ["agent", "summary", "initial_context", "custom_metadata", "recording_details"])
    def test_one_sensitive_column_proves_the_right_to_read(self, column: str) -> None:
        told = normalize(json.dumps({"id": "1", "status": "completed", column: None}).encode())
        assert (told.transcript_state, told.issues) == (TranscriptState.PENDING, ())

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ("token_created", TranscriptState.PENDING),
            ("ringing", TranscriptState.PENDING),
            ("in_progress", TranscriptState.PENDING),
            ("zz_new", TranscriptState.PENDING),
            ("completed", TranscriptState.PENDING),
            ("transferred", TranscriptState.PENDING),
            ("failed", TranscriptState.UNAVAILABLE),
            ("unanswered", TranscriptState.UNAVAILABLE),
            ("cancelled", TranscriptState.UNAVAILABLE),
        ],
    )
    @pytest.mark.parametrize("conversation", [None, {}])
    def test_nothing_is_pending_until_it_can_no_longer_come(
        self, status: str, state: TranscriptState, conversation: object
    ) -> None:
        told = read(status=status, conversation=conversation)
        assert (told.transcript, told.transcript_state, told.issues) == (None, state, ())

    def test_a_running_conversation_lags_so_its_turns_are_not_all(self) -> None:
        told = normalize(recorded("get.live.1").body)
        assert told.transcript_state is TranscriptState.PENDING
        assert told.text == "assistant: Hello, how can I help?\nuser: Do you have a room for tonight?"

    def test_an_empty_list_is_a_transcript(self) -> None:
        told = read(conversation={"items": []})
        assert (told.transcript, told.transcript_state) == ((), TranscriptState.AVAILABLE)


class TestTranscript:
    def test_a_phone_call(self) -> None:
        call = normalize(recorded("get.phone.1").body)
        assert call.transcript is not None
        assert [turn.role for turn in call.transcript] == [
            Role.SYSTEM,
            Role.ASSISTANT,
            Role.USER,
            Role.ASSISTANT,
            Role.TOOL,
            Role.ASSISTANT,
            Role.TOOL,
            Role.ASSISTANT,
            Role.USER,
        ]
        assert [turn.index for turn in call.transcript] == list(range(9))
        assert [turn.participant for turn in call.transcript] == [None, 0, 1, 0, None, 0, None, 0, 1]
        greeting, calling, answering, failing = (call.transcript[position] for position in (1, 3, 4, 6))
        assert greeting.metrics == {"e2e_latency": 1.1, "llm_node_ttft": 0.4, "tts_node_ttfb": 0.2}
        assert (greeting.timestamp, greeting.start, greeting.provider_id) == (1769850765.2, None, "item_1")
        assert calling.tool_calls == (ToolCall(id="call_a", name="find_booking", arguments='{"phone":"+14155550100"}'),)
        assert answering.tool_result == ToolResult(call_id="call_a", content='{"booking":"B-12"}', is_error=False)
        assert failing.tool_result == ToolResult(call_id="call_b", content="the calendar did not answer", is_error=True)
        assert (calling.text, answering.text) == ("", "")
        assert [turn.interrupted for turn in call.transcript] == [False] * 3 + [None] * 4 + [True, False]
        assert call.transcript_state is TranscriptState.AVAILABLE

    @pytest.mark.parametrize("name", ["items", "messages", "transcript", "turns", "history", None])
    def test_it_is_found_wherever_it_stands(self, name: str | None) -> None:
        entries = [{"role": "agent", "content": "Hi"}, {"role": "user", "content": "Bye"}]
        told = read(conversation={"version": 2, name: entries} if name else entries)
        assert told.text == "assistant: Hi\nuser: Bye"
        assert told.issues == ()

    def test_the_first_list_counts(self) -> None:
        told = read(conversation={"transcript": "user: Hi", "turns": [{"role": "user", "content": "Hi"}]})
        assert told.text == "user: Hi"

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("One", "One"),
            (["One", "two"], "One\ntwo"),
            ([{"type": "text", "text": "One"}, {"type": "audio_content", "transcript": "two"}], "One\ntwo"),
            ({"text": "One"}, "One"),
            ([], ""),
            (None, ""),
        ],
    )
    def test_content_in_any_form(self, content: object, said: str) -> None:
        told = read(conversation=[{"role": "user", "content": content}])
        assert told.transcript is not None
        assert [turn.text for turn in told.transcript] == [said]
        assert told.issues == ()

    @pytest.mark.parametrize("content", [7, True, [["deep"]], {"type": "image_content", "image": "…"}])
    def test_content_that_is_no_text_is_noted(self, content: object) -> None:
        told = read(conversation={"items": [{"role": "user", "content": content}, {"role": "user", "text": "Hi"}]})
        assert told.text == "user: Hi"
        assert [issue.place for issue in told.issues] == ["conversation.items[0]"]

    @pytest.mark.parametrize("at", [1769850764.5, "1769850764.5", 1769850764500, "2026-01-31T09:12:44.5Z"])
    @pytest.mark.parametrize("name", ["created_at", "timestamp"])
    def test_instants_in_any_form(self, name: str, at: object) -> None:
        told = read(conversation=[{"role": "user", "content": "Hi", name: at}])
        assert told.transcript is not None
        assert told.transcript[0].timestamp == 1769850764.5
        assert told.transcript[0].start is None

    @pytest.mark.parametrize(
        ("word", "role"),
        [
            ("user", Role.USER),
            ("agent", Role.ASSISTANT),
            ("assistant", Role.ASSISTANT),
            ("system", Role.SYSTEM),
            ("developer", Role.SYSTEM),
            ("tool", Role.TOOL),
        ],
    )
    def test_the_roles(self, word: str, role: Role) -> None:
        told = read(conversation=[{"role": word, "content": "Hi"}])
        assert told.transcript is not None
        assert (told.transcript[0].role, told.transcript[0].text) == (role, "Hi")
        assert len(told.participants) == 2

    def test_an_unknown_role_is_kept_as_who_spoke(self) -> None:
        told = read(conversation=[{"role": "supervisor", "content": "Hi"}, {"role": "supervisor", "content": "Bye"}])
        assert told.transcript is not None
        assert [(turn.role, turn.participant) for turn in told.transcript] == [(Role.UNKNOWN, 2), (Role.UNKNOWN, 2)]
        assert told.participants[2] == Participant(name="supervisor")

    def test_calls_and_answers_without_a_type(self) -> None:
        told = read(
            conversation=[
                {"call_id": "a", "name": "find", "arguments": {"q": 1}},
                {"role": "tool", "call_id": "a", "content": "found"},
                {"call_id": "b", "name": "move", "arguments": "{}", "output": {"ok": True}},
            ]
        )
        assert told.transcript is not None
        calling, answering, paired = told.transcript
        assert (calling.role, answering.role, paired.role) == (Role.ASSISTANT, Role.TOOL, Role.ASSISTANT)
        assert calling.tool_calls == (ToolCall(id="a", name="find", arguments='{"q":1}'),)
        assert calling.tool_result is None
        assert answering.tool_result == ToolResult(call_id="a", content="found")
        assert answering.text == ""
        assert paired.tool_calls == (ToolCall(id="b", name="move", arguments="{}"),)
        assert paired.tool_result == ToolResult(call_id="b", content='{"ok":true}')

    def test_a_name_alone_makes_no_call(self) -> None:
        told = read(conversation=[{"role": "user", "name": "Ada", "content": "Hi"}])
        assert told.text == "user: Hi"

    def test_only_spans_are_latencies(self) -> None:
        metrics = {
            "e2e_latency": 2,
            "started_speaking_at": 1769850764.1,
            "llm_metadata": {"model_name": "m"},
            "cached": True,
            "lost": -1,
            "endless": 10**400,
        }
        told = read(conversation=[{"role": "user", "content": "Hi", "metrics": metrics}])
        assert told.transcript is not None
        assert told.transcript[0].metrics == {"e2e_latency": 2.0}

    def test_what_is_no_turn_is_noted(self) -> None:
        handoff = {"type": "agent_handoff", "new_agent_id": "agent_4"}
        told = read(conversation={"items": [None, handoff, {"role": "user", "content": "Hi"}]})
        assert told.transcript is not None
        assert [(turn.index, turn.text) for turn in told.transcript] == [(0, "Hi")]
        assert [issue.place for issue in told.issues] == ["conversation.items[0]", "conversation.items[1]"]

    def test_one_value_that_does_not_fit_costs_no_turn(self) -> None:
        entries = [{"role": "user", "content": "Hi"}, {"role": 7, "content": "Bye", "created_at": "soon"}]
        told = read(conversation={"items": entries})
        assert told.transcript is not None
        assert [turn.text for turn in told.transcript] == ["Hi", "Bye"]
        assert [issue.place for issue in told.issues] == ["conversation.items[1].role", "conversation.items[1]"]

    @pytest.mark.parametrize("shape", [7, {"zz": [1]}, {"items": {"0": {}}}, [7], [["user", "Hi"]]])
    def test_an_unknown_shape_is_noted_and_kept(self, shape: object) -> None:
        told = read(conversation=shape)
        assert (told.transcript, told.transcript_state) == (None, TranscriptState.UNAVAILABLE)
        assert [issue.place.split(".")[0].split("[")[0] for issue in told.issues] == ["conversation"]
        assert told.raw is not None
        assert json.loads(told.raw)["conversation"] == shape

    @pytest.mark.parametrize("name", ["phone", "read_only", "live", "text"])
    def test_whatever_changes_in_it_never_raises(self, name: str) -> None:
        body = recorded(f"get.{name}.1").body
        for mutant in mutants(body):
            if mutant.place != "id":
                assert normalize(mutant.body).id == json.loads(body)["id"], mutant


class TestList:
    def test_a_walk_over_short_pages_to_the_empty_one(self) -> None:
        cursor: str | None = None
        seen: list[str] = []
        requests: list[Request] = []
        for number in (1, 2, 3):
            walked = page(recorded(f"list.{number}"), cursor, page_size=3)
            seen += [walked.result.normalize(row).id for row in walked.result.rows]
            requests += walked.requests
            cursor = walked.result.cursor
        assert seen == ["conv_53", "conv_51", "conv_54", "conv_50"]
        assert cursor is None
        assert [request.query["limit"] for request in requests] == [3, 3, 3]

    def test_the_cursor_is_the_text_of_the_last_created_at(self) -> None:
        odd = "2026-01-31T10:12:44.10293800+01:00"
        listed = page(answer([row("a"), row("b", odd)]), page_size=7).result
        assert listed.cursor == cursor_of(odd, "b")
        following = page(answer([]), listed.cursor, page_size=7)
        assert following.requests[0].query == {"limit": 7, "cursor": base64.b64encode(odd.encode()).decode()}

    def test_the_first_page_always_says_how_large(self) -> None:
        assert page(answer([])).requests[0].query == {"limit": 100}

    def test_an_empty_page_is_the_end(self) -> None:
        listed = page(answer([])).result
        assert (listed.rows, listed.cursor, listed.warning) == ([], None, None)

    def test_a_page_of_nothing_but_what_was_seen_is_the_end(self) -> None:
        listed = page(answer([row("a"), row("b")]), cursor_of(T, "a", "b"), page_size=5).result
        assert (listed.rows, listed.cursor, listed.warning) == ([], None, None)

    def test_a_page_that_repeats_what_was_seen_goes_on_without_it(self) -> None:
        listed = page(answer([row("a"), row("b", EARLIER)]), cursor_of(T, "a"), page_size=2).result
        assert len(listed.rows) == 1
        assert listed.cursor == cursor_of(EARLIER, "b")

    def test_a_page_always_has_room_for_more_than_was_seen(self) -> None:
        listed = page(answer([row("a"), row("b"), row("c")]), cursor_of(T, "a", "b"), page_size=2)
        assert listed.requests[0].query["limit"] == 3
        assert (len(listed.result.rows), listed.result.cursor) == (1, cursor_of(T, "a", "b", "c"))

    def test_a_full_page_of_nothing_but_what_was_seen_cannot_go_on(self) -> None:
        seen = [f"c{number}" for number in range(100)]
        with pytest.raises(errors.PaginationError, match="leads no further"):
            page(answer([row(id) for id in seen]), cursor_of(T, *seen))

    def test_a_page_that_ends_between_rows_of_one_instant_warns(self) -> None:
        listed = page(answer([row("a"), row("b", EARLIER), row("c", EARLIER)]), page_size=3).result
        assert listed.cursor == cursor_of(EARLIER, "b", "c")
        assert listed.warning is not None

    def test_a_page_that_ends_alone_does_not_warn(self) -> None:
        assert page(answer([row("a"), row("b"), row("c", EARLIER)]), page_size=3).result.warning is None

    @pytest.mark.parametrize("created_at", [None, "", 1769850764, {}])
    def test_the_last_row_that_has_an_instant_counts(self, created_at: object) -> None:
        listed = page(answer([row("a"), row("b", created_at), row("c", created_at)]), page_size=3).result
        assert (len(listed.rows), listed.cursor) == (3, cursor_of(T, "a", "b", "c"))

    def test_a_row_nobody_can_read_does_not_stop_the_walk(self) -> None:
        assert page(answer([row("a"), "zz", None])).result.cursor == cursor_of(T, "a")

    def test_a_full_page_without_an_instant_cannot_go_on(self) -> None:
        with pytest.raises(errors.PaginationError):
            page(answer([row("a", None), row("b", None)]), page_size=2)

    @pytest.mark.parametrize("created_at", [None, "", 7])
    @pytest.mark.parametrize("cursor", [None, cursor_of(T, "z")])
    def test_a_short_page_without_an_instant_is_delivered(self, cursor: str | None, created_at: object) -> None:
        listed = page(answer([row("a", created_at)]), cursor, page_size=2).result
        assert (len(listed.rows), listed.cursor) == (1, None)

    @pytest.mark.parametrize(
        "cursor",
        [
            "zz",
            "100",
            "[]",
            '["",[]]',
            '["2026"]',
            '["2026",[1]]',
            '["2026",[],[]]',
            '["2026",["a"]',
            "1:2:3",
        ],
    )
    def test_a_malformed_cursor_is_refused_unsent(self, cursor: str) -> None:
        with pytest.raises(errors.InvalidRefError, match="invalid AnyReach cursor: expected"):
            drive(list_page(ACCOUNT, Query(), cursor))

    @pytest.mark.parametrize(
        ("status", "word"),
        [
            (Status.IN_PROGRESS, "in_progress"),
            (Status.RINGING, "ringing"),
            (Status.FAILED, "failed"),
            (Status.CANCELLED, "cancelled"),
            (Status.NO_ANSWER, "unanswered"),
            (Status.ENDED, None),
            (Status.QUEUED, None),
            (Status.PROCESSING, None),
        ],
    )
    def test_a_status_is_sent_only_where_one_word_covers_it(self, status: Status, word: str | None) -> None:
        assert page(answer([]), status=status).requests[0].query.get("status") == word

    def test_the_filters_in_their_words(self) -> None:
        asked = page(
            answer([]),
            agent="agent_3",
            since=datetime(2026, 1, 1, tzinfo=UTC),
            until=datetime(2026, 2, 1, tzinfo=UTC),
            options={
                "custom_metadata": {"order_id": "77"},
                "has_recording": True,
                "user_id": "+1415",
                "duration_above": 10,
                "direction": None,
                "status": "transferred",
                "limit": 9,
            },
        ).requests[0]
        assert asked.path == "/core/conversations"
        assert asked.query == {
            "limit": 100,
            "agent_id": "agent_3",
            "created_after": "2026-01-01T00:00:00+00:00",
            "created_before": "2026-02-01T00:00:00+00:00",
            "custom_metadata": '{"order_id":"77"}',
            "has_recording": "true",
            "user_id": "+1415",
            "duration_above": "10",
            "direction": None,
            "status": "transferred",
        }

    def test_an_envelope_is_no_list(self) -> None:
        with pytest.raises(errors.PayloadError):
            page(answer({"items": []}))

    def test_a_refusal_under_200_is_one(self) -> None:
        with pytest.raises(errors.RejectedError, match="try later"):
            page(answer({"detail": "try later"}))


class TestOperations:
    def test_get(self) -> None:
        got = drive(get(ACCOUNT, "conv_51"), recorded("get.phone.1"))
        assert got.result.id == "conv_51"
        (request,) = got.requests
        assert (request.method, request.path, request.ids) == (
            "GET",
            "/core/conversations/{id}",
            {"id": "conv_51"},
        )

    def test_a_phone_call_is_queued(self) -> None:
        started = drive(start(ACCOUNT, Start(agent="agent_3", to="+14155550103")), recorded("start.1"))
        (request,) = started.requests
        assert (request.method, request.path, request.is_safe) == ("POST", "/core/conversations", False)
        assert json.loads(request.body or b"") == {
            "agent_id": "agent_3",
            "user_id": "+14155550103",
            "channel": "telephone",
        }
        assert started.result.conversation.ref == "anyreach:conv_60"
        assert started.result.conversation.status is Status.QUEUED
        assert started.result.token is None

    def test_a_text_conversation_keeps_its_greeting(self) -> None:
        wanted = Start(agent="agent_4", to="guest_77aa", options={"channel": "text", "initial_context": "Order 78"})
        started = drive(start(ACCOUNT, wanted), recorded("start.text.1"))
        assert json.loads(started.requests[0].body or b"") == {
            "agent_id": "agent_4",
            "user_id": "guest_77aa",
            "channel": "text",
            "initial_context": "Order 78",
        }
        conversation = started.result.conversation
        assert conversation.metadata["starting_message"] == "Hello, which order is it about?"
        assert conversation.metadata["organization_id"] == "org_7"
        assert json.loads(conversation.raw or b"")["starting_message"] == "Hello, which order is it about?"

    @pytest.mark.parametrize("to", [None, "guest_1", "4155550103", "ada@example.com"])
    def test_without_a_number_the_channel_must_be_said(self, to: str | None) -> None:
        with pytest.raises(errors.InvalidRefError, match="channel"):
            drive(start(ACCOUNT, Start(agent="agent_3", to=to)))

    @pytest.mark.parametrize("name", ["token", "join_token", "access_token"])
    def test_a_join_token_is_a_secret(self, name: str) -> None:
        reply = answer({"conversation": row(channel="webrtc"), name: "jwt.of.ada"})
        started = drive(start(ACCOUNT, Start(to="ada", options={"channel": "webrtc"})), reply).result
        assert started.token is not None
        assert started.token.reveal() == "jwt.of.ada"
        assert "jwt.of.ada" not in repr(started)
        raw = scrubbed(started.conversation.raw or b"", ADAPTER.secret_fields)
        assert json.loads(raw)[name] == "***"

    def test_a_token_of_another_form_does_not_hide_the_call(self) -> None:
        reply = answer({"conversation": row(), "token": {"zz": 1}})
        started = drive(start(ACCOUNT, Start(to="+14155550103")), reply).result
        assert (started.conversation.id, started.token) == ("conv_1", None)

    def test_send(self) -> None:
        sent = drive(send(ACCOUNT, "conv_61", "Where is order 78?"), recorded("send.1"))
        (request,) = sent.requests
        assert (request.method, request.path, request.ids) == (
            "POST",
            "/core/conversations/{id}/messages",
            {"id": "conv_61"},
        )
        assert not request.is_safe
        assert json.loads(request.body or b"") == {"text": "Where is order 78?", "interactivity": "plain"}
        assert (sent.result.role, sent.result.text) == (Role.ASSISTANT, "Order 78 left this morning.")
        assert sent.result.tool_calls == (ToolCall(id="call_c", name="find_order", arguments='{"order":"78"}'),)

    @pytest.mark.parametrize("tool_calls", [None, "zz", [], [None, 7], {"zz": 1}])
    def test_a_reply_survives_its_tool_calls(self, tool_calls: object) -> None:
        reply = answer({"reply": "Hi", "tool_calls": tool_calls})
        sent = drive(send(ACCOUNT, "conv_61", "Hello"), reply).result
        assert (sent.text, sent.tool_calls) == ("Hi", ())

    def test_an_answer_among_the_tool_calls_is_no_call(self) -> None:
        told = [
            {"type": "function_call", "call_id": "a", "name": "find", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "name": "find", "output": "found"},
        ]
        sent = drive(send(ACCOUNT, "conv_61", "Hello"), answer({"reply": "Hi", "tool_calls": told})).result
        assert sent.tool_calls == (ToolCall(id="a", name="find", arguments="{}"),)

    def test_an_end_without_words_is_one(self) -> None:
        assert drive(end(ACCOUNT, "conv_61"), Response(200, {}, b"")).result is None

    def test_end_may_be_sent_twice(self) -> None:
        (request,) = drive(end(ACCOUNT, "conv_61"), recorded("end.1")).requests
        assert (request.method, request.path, request.ids) == (
            "POST",
            "/core/conversations/{id}/end",
            {"id": "conv_61"},
        )
        assert request.is_safe

    def test_what_it_can_do(self) -> None:
        assert ADAPTER.operations == ("list", "get", "start", "end", "send")
        assert ADAPTER.complete_lists


class TestSigning:
    def test_the_key_and_the_organization(self) -> None:
        signed = ADAPTER.sign(Request("GET", "/core/conversations"), ACCOUNT, NOW)
        assert signed.headers == {"Authorization": "Bearer ak_7.secret", "X-Anyreach-Org": "org_7"}

    def test_an_organization_key_needs_no_organization(self) -> None:
        signed = ADAPTER.sign(Request("GET", "/"), Account("anyreach", key="ak_7.secret"), NOW)
        assert signed.headers == {"Authorization": "Bearer ak_7.secret"}

    def test_a_personal_token_without_an_organization_is_not_sent(self) -> None:
        with pytest.raises(errors.ConfigurationError, match=r"org_id.*ANYREACH_ORG_ID") as caught:
            ADAPTER.sign(Request("GET", "/"), Account("anyreach", key="pat_secret"), NOW)
        assert "pat_secret" not in str(caught.value)

    def test_a_personal_token_with_an_organization(self) -> None:
        account = Account("anyreach", key="pat_secret", settings={"org_id": "org_7"})
        assert ADAPTER.sign(Request("GET", "/"), account, NOW).headers["X-Anyreach-Org"] == "org_7"
        assert ADAPTER.settings == ("org_id",)


class TestRefusal:
    @pytest.mark.parametrize(
        ("name", "kind", "words"),
        [
            ("error.401", errors.AuthError, "Token is missing organization claim: a personal access token needs"),
            ("error.403", errors.ForbiddenError, "The token's role doesn't grant access to this action."),
            ("error.404", errors.NotFoundError, "Conversation not found"),
            ("error.409", errors.RejectedError, "The conversation is not a live text conversation."),
            (
                "error.422",
                errors.RejectedError,
                "body.channel: Field required; body.user_id: Input should be a valid string",
            ),
            ("error.500", errors.OutageError, "Internal server error"),
        ],
    )
    def test_it_keeps_the_words(self, name: str, kind: type[errors.HubError], words: str) -> None:
        error = refusal(recorded(name))
        assert type(error) is kind
        assert error.reason.startswith(words)

    def test_a_missing_organization_says_what_to_do(self) -> None:
        reason = refusal(recorded("error.401")).reason
        assert "org_id" in reason
        assert "ANYREACH_ORG_ID" in reason
        assert not reason.endswith("…")

    def test_another_401_is_a_bad_key(self) -> None:
        assert refusal(answer({"detail": "Invalid token"}, 401)).reason == "Invalid token"

    def test_the_other_edge_says_error(self) -> None:
        assert refusal(answer({"error": "No such tool"}, 400)).reason == "No such tool"

    @pytest.mark.parametrize("body", [[], "zz", {"detail": {}}, {"detail": []}, {"detail": None}, {}])
    def test_a_refusal_without_words(self, body: object) -> None:
        assert refusal(answer(body, 400)).reason == "the provider gave no reason"


# against the simulator


async def test_a_key_whose_role_may_not_read_transcripts_is_told_so() -> None:
    async with simulated("anyreach", environ={"ANYREACH_API_KEY": "ak_readonly.key"}) as (hub, _):
        found = await collected(hub, "anyreach", limit=50)
    assert {c.transcript_state for c in found} == {TranscriptState.RESTRICTED}


async def test_a_text_is_opened_conversed_in_and_ended() -> None:
    async with simulated("anyreach") as (hub, _):
        started = await hub.start("anyreach", agent="agent_1", to="guest_1", provider_options={"channel": "text"})
        ref = started.conversation.ref
        turn = await hub.send(ref, "Where is my order?")
        assert turn.role == "assistant"
        assert turn.text
        await hub.end(ref)
        ended = await hub.get(ref)
        assert ended.status == Status.ENDED
        with pytest.raises(errors.RejectedError):
            await hub.send(ref, "Hello?")
        called = await hub.start("anyreach", agent="agent_1", to="+14155550100")
        assert called.conversation.status == Status.QUEUED
