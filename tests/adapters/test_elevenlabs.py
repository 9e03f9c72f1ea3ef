"""ElevenLabs: its rows and its conversations, its traps, its webhooks, and all of it against the simulator."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from conversations_hub import webhooks
from conversations_hub._merging import merge
from conversations_hub._scrub import without_secrets
from conversations_hub._scrub.members import scrubbed
from conversations_hub._stamp import stamp
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start, Started
from conversations_hub.adapters.elevenlabs import ADAPTER, delete, events, get, list_page, normalize, refusal, start
from conversations_hub.errors import (
    AuthError,
    ForbiddenError,
    HubError,
    InvalidRefError,
    NotFoundError,
    OutageError,
    PaginationError,
    PayloadError,
    RateLimitError,
    RejectedError,
    WebhookError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Channel,
    Conversation,
    Cost,
    Direction,
    EndReason,
    ParticipantKind,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.testing import Driven, Simulator, drive
from conversations_hub.testing.simulator._elevenlabs import SIMULATED
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response, target

from ..support import exchanges
from ..support.clock import ManualClock
from ..support.iterators import collected
from ..support.simulated import simulated

CASES = exchanges.cases("elevenlabs")
ACCOUNT = Account("elevenlabs", key="sk_invented_0123456789")
SECRET = "wsec_invented_0123456789abcdef"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def answer(body: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def row(**members: Any) -> Conversation:
    return normalize(json.dumps({"conversation_id": "conv_1", "status": "done", **members}).encode())


def whole(*transcript: Any, **members: Any) -> Conversation:
    body = {"conversation_id": "conv_1", "agent_id": "agent_1", "status": "done", "transcript": transcript, **members}
    return drive(get(ACCOUNT, "conv_1"), answer(body)).result


def fixture(name: str) -> Conversation:
    return drive(get(ACCOUNT, CASES[name].id), CASES[name].answers[0]).result


def turns_of(conversation: Conversation) -> tuple[TranscriptTurn, ...]:
    assert conversation.transcript is not None
    return conversation.transcript


def only_turn(**members: Any) -> TranscriptTurn:
    [turn] = turns_of(whole({"role": "agent", "message": "Hi.", **members}))
    return turn


def listed(page: Any, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer(page))


def page(**members: Any) -> dict[str, Any]:
    return {"conversations": [], "next_cursor": None, "has_more": False, **members}


def asked(query: Query) -> str:
    return target(listed(page(), query).requests[0], "").partition("?")[2]


# what things are worth


def test_cost_is_credits_and_money_only_where_it_says_so() -> None:
    credits_only = whole(metadata={"cost": 296})
    both = whole(metadata={"cost": 126, "cost_fiat": 0.0250345})

    assert credits_only.cost == Cost(amount=Decimal(296), unit="credits")
    assert "credits" not in credits_only.metadata
    assert both.cost == Cost(amount=Decimal("0.0250345"), unit="USD")
    assert both.metadata["credits"] == 126
    assert whole(metadata={"cost": None, "cost_fiat": None}).cost is None


def test_cost_keeps_every_digit_as_sent() -> None:
    body = b'{"conversation_id": "c", "transcript": [], "metadata": {"cost_fiat": 0.10}}'

    assert str((normalize(body).cost or Cost(amount=Decimal(0), unit="")).amount) == "0.10"


@pytest.mark.parametrize("sent", ["free", True, [], {}, "nan"])
def test_a_cost_nobody_can_read_is_an_issue_and_the_other_one_counts(sent: Any) -> None:
    conversation = whole(metadata={"cost_fiat": sent, "cost": 12})

    assert conversation.cost == Cost(amount=Decimal(12), unit="credits")
    assert [(issue.place, issue.reason) for issue in conversation.issues] == [("metadata.cost_fiat", "not a number")]


# where it stands


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("initiated", Status.QUEUED),
        ("in-progress", Status.IN_PROGRESS),
        ("processing", Status.PROCESSING),
        ("done", Status.ENDED),
        ("failed", Status.FAILED),
        ("in_progress", Status.UNKNOWN),  # other providers write it so; here it would be a new word
        ("paused", Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_statuses(word: str | None, status: Status) -> None:
    conversation = whole(status=word)

    assert (conversation.status, conversation.provider_status) == (status, word)


def test_a_call_that_was_placed_rings_until_somebody_answers() -> None:
    assert row(status="initiated", direction="outbound").status is Status.RINGING
    line = {"type": "twilio", "direction": "outbound"}
    assert whole(status="initiated", metadata={"phone_call": line}).status is Status.RINGING
    assert row(status="initiated", direction="inbound").status is Status.QUEUED


@pytest.mark.parametrize("status", ["in-progress", "processing"])
def test_before_the_end_a_transcript_may_be_a_part_and_a_missing_analysis_is_none(status: str) -> None:
    begun = whole({"role": "agent", "message": "Hi.", "time_in_call_secs": 0}, status=status, analysis=None)
    empty = whole(status=status)

    assert begun.transcript_state is empty.transcript_state is TranscriptState.PENDING
    assert len(turns_of(begun)) == 1
    assert empty.transcript is None
    assert begun.analysis is None


def test_whether_a_conversation_went_well_is_not_where_it_stands() -> None:
    failed = whole({"role": "user", "message": "Hello?"}, analysis={"call_successful": "failure"})
    unsure = whole(analysis={"call_successful": "unknown"})

    assert failed.status is Status.ENDED
    assert failed.analysis is not None
    assert failed.analysis.success is False
    assert unsure.analysis is None
    assert unsure.metadata["call_successful"] == "unknown"


@pytest.mark.parametrize(
    "metadata",
    [
        {"deletion_settings": {"deleted_transcript_at_time_unix_secs": 1767688200}},
        {"features_usage": {"pii_zrm_workspace": True}},
        {"features_usage": {"pii_zrm_agent": True}},
    ],
)
@pytest.mark.parametrize("status", ["done", "processing"])
def test_what_was_deleted_or_never_kept_is_not_taken_for_silence(metadata: dict[str, Any], status: str) -> None:
    conversation = whole(status=status, metadata=metadata)

    assert conversation.transcript is None
    assert conversation.transcript_state is TranscriptState.UNAVAILABLE


def test_an_empty_transcript_of_a_conversation_that_ended_is_one_in_which_nobody_spoke() -> None:
    silent = whole(metadata={"deletion_settings": {"deleted_transcript_at_time_unix_secs": None}})

    assert (silent.transcript, silent.transcript_state) == ((), TranscriptState.AVAILABLE)
    assert whole(status="failed").transcript_state is TranscriptState.UNAVAILABLE
    assert row().transcript_state is TranscriptState.NOT_LOADED


# when


def test_the_length_and_the_instants() -> None:
    told = {"start_time_unix_secs": 1767600000, "accepted_time_unix_secs": 1767600005, "call_duration_secs": 60}
    conversation = whole(metadata={**told, "duration": 999})

    assert conversation.created_at == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert conversation.started_at == datetime(2026, 1, 5, 8, 0, 5, tzinfo=UTC)
    assert conversation.ended_at == datetime(2026, 1, 5, 8, 1, 5, tzinfo=UTC)
    assert conversation.duration == 60
    assert conversation.estimated == ("channel", "created_at", "ended_at")


@pytest.mark.parametrize("status", ["initiated", "in-progress", "zz_new"])
def test_what_has_not_ended_has_no_end_and_no_length(status: str) -> None:
    conversation = row(status=status, start_time_unix_secs=1767600000, call_duration_secs=0)

    assert (conversation.ended_at, conversation.duration) == (None, None)
    assert (conversation.started_at is None) is (status == "initiated")


def test_who_never_answered_was_never_connected() -> None:
    never = whole(status="failed", metadata={"start_time_unix_secs": 1767600000, "call_duration_secs": 0})
    broken = whole(status="failed", metadata={"start_time_unix_secs": 1767600000, "call_duration_secs": 9})

    assert (never.started_at, never.ended_at, never.duration) == (None, None, 0)
    assert broken.started_at == datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_an_answer_before_the_start_is_noted_and_not_believed() -> None:
    conversation = whole(metadata={"start_time_unix_secs": 1767600000, "accepted_time_unix_secs": 1})

    assert conversation.started_at == conversation.created_at
    assert [issue.place for issue in conversation.issues] == ["metadata.accepted_time_unix_secs"]


# how it ended


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("end_call tool was called.", EndReason.AGENT_ENDED),
        ("voicemail_detection tool was called.", EndReason.VOICEMAIL),
        ("Call ended by remote party", EndReason.CUSTOMER_ENDED),
        ("The remote party hung up.", EndReason.CUSTOMER_ENDED),
        ("Client disconnected: 1000", EndReason.CUSTOMER_ENDED),
        ("Ending conversation after 40 seconds of silence.", EndReason.SILENCE),
        ("Conversation exceeded maximum duration of 600 seconds.", EndReason.MAX_DURATION),
        ("This request exceeds your quota limit.", EndReason.ERROR),
        ("custom_llm generation failed", EndReason.ERROR),
        ("Something new.", EndReason.UNKNOWN),
    ],
)
def test_end_reasons(words: str, reason: EndReason) -> None:
    for conversation in (whole(metadata={"termination_reason": words}), row(termination_reason=words)):
        assert (conversation.end_reason, conversation.provider_end_reason) == (reason, words)


def test_no_words_are_no_reason_and_an_error_has_words_of_its_own() -> None:
    quiet = whole(metadata={"termination_reason": ""})
    failed = whole(status="failed", metadata={"termination_reason": "Missing required dynamic variables"})
    error = whole(metadata={"termination_reason": "", "error": {"code": 1008, "reason": "Not allowed."}})

    assert (quiet.end_reason, quiet.provider_end_reason) == (None, None)
    assert failed.end_reason is EndReason.ERROR
    assert (error.end_reason, error.provider_end_reason) == (EndReason.ERROR, "Not allowed.")
    assert error.metadata["error"] == {"code": 1008, "reason": "Not allowed."}


def transfer(result: Any = None, **members: Any) -> dict[str, Any]:
    answered = {"request_id": "call_1", "tool_name": "transfer_to_number", "type": "system", "result": result}
    return {"role": "agent", "message": None, "time_in_call_secs": 9, "tool_results": [{**answered, **members}]}


HANDED = {"result_type": "transfer_to_number_sip_success", "status": "success", "transfer_number": "+15550199"}


@pytest.mark.parametrize(
    "entry",
    [
        transfer(HANDED),
        transfer(result_value=json.dumps(HANDED)),
        transfer({"steps": [{"results": [{"type": "system", "result": HANDED}]}]}, type="workflow"),
    ],
)
def test_a_transfer_to_a_number_brings_a_person_in_and_is_why_it_ended(entry: dict[str, Any]) -> None:
    conversation = whole(entry, metadata={"termination_reason": "Call ended by remote party"})

    person = conversation.participants[-1]
    assert (person.kind, person.phone) == (ParticipantKind.HUMAN_AGENT, "+15550199")
    assert conversation.end_reason is EndReason.TRANSFERRED
    assert conversation.provider_end_reason == "Call ended by remote party"
    assert "end_reason" in conversation.estimated


@pytest.mark.parametrize(
    "entry",
    [
        transfer({**HANDED, "result_type": "transfer_to_number_error"}),
        transfer(HANDED, type="webhook"),  # a customer's own tool may answer whatever it likes
        transfer({"result_type": "transfer_to_agent_success", "to_agent": "node_billing"}),
        transfer("zz", result_value="not JSON"),
        transfer([], type="workflow"),
    ],
)
def test_what_is_no_transfer_to_a_person_brings_nobody_in(entry: dict[str, Any]) -> None:
    conversation = whole(entry, metadata={"termination_reason": "end_call tool was called."})

    assert [one.kind for one in conversation.participants] == [ParticipantKind.AI_AGENT, ParticipantKind.CUSTOMER]
    assert conversation.end_reason is EndReason.AGENT_ENDED


def test_a_running_call_that_is_being_handed_over_has_not_ended() -> None:
    assert whole(transfer(HANDED), status="in-progress").end_reason is None


@pytest.mark.parametrize(
    ("status", "result", "outcome", "reason"),
    [
        ("done", "answered", Status.ENDED, None),
        ("done", "no_answer", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("failed", "busy", Status.NO_ANSWER, EndReason.BUSY),
        ("done", "voicemail", Status.ENDED, EndReason.VOICEMAIL),
        ("failed", "failed", Status.FAILED, EndReason.ERROR),
        ("done", "zz_new", Status.ENDED, None),
        ("in-progress", "voicemail", Status.IN_PROGRESS, None),
        (None, "no_answer", Status.NO_ANSWER, EndReason.NO_ANSWER),
    ],
)
def test_what_became_of_a_call_is_told_by_its_result(
    status: str | None, result: str, outcome: Status, reason: EndReason | None
) -> None:
    told = whole(status=status, metadata={"phone_call": {"type": "twilio", "call_result": result}})

    assert (told.status, told.end_reason) == (outcome, reason)
    assert told.metadata["call_result"] == result


def test_the_words_for_the_end_are_kept_beside_the_result() -> None:
    metadata = {"termination_reason": "end_call tool was called.", "phone_call": {"call_result": "voicemail"}}
    worded, wordless = whole(metadata=metadata), whole(metadata={"phone_call": {"call_result": "busy"}})

    assert (worded.end_reason, worded.provider_end_reason) == (EndReason.VOICEMAIL, "end_call tool was called.")
    assert (wordless.end_reason, wordless.provider_end_reason) == (EndReason.BUSY, "busy")


# when it was said

STARTED = {"start_time_unix_secs": 1767600000, "call_duration_secs": 60}


def stamped(offset: int | None, milliseconds: int, **more: Any) -> dict[str, Any]:
    made = 1767600000_000 + milliseconds
    return {"role": "user", "message": "Hi.", "time_in_call_secs": offset, "created_at_unix_ms": made, **more}


def test_the_instant_of_a_turn_tells_its_start_to_the_millisecond() -> None:
    told = whole(
        stamped(0, 250),
        stamped(3, 3750),
        {"role": "agent", "message": "Yes?", "time_in_call_secs": 5},
        metadata=STARTED,
    )

    assert [turn.start for turn in turns_of(told)] == [0.25, 3.75, 5.0]
    assert [turn.timestamp for turn in turns_of(told)] == [1767600000.25, 1767600003.75, None]
    assert "transcript.start" in told.estimated


def test_an_outbound_call_counts_from_when_it_was_accepted() -> None:
    metadata = {**STARTED, "accepted_time_unix_secs": 1767600020}
    told = whole(stamped(1, 21_500), stamped(9, 29_900), metadata=metadata)

    assert [turn.start for turn in turns_of(told)] == [1.5, 9.9]


def test_where_no_start_agrees_the_first_turn_tells_the_zero() -> None:
    told = whole(stamped(2, 302_400), stamped(9, 309_100), metadata=STARTED)

    assert [turn.start for turn in turns_of(told)] == [2.0, 8.7]


def test_without_instants_the_whole_seconds_stay_as_told() -> None:
    told = whole({"role": "user", "message": "Hi.", "time_in_call_secs": 3}, metadata=STARTED)

    assert [(turn.start, turn.timestamp) for turn in turns_of(told)] == [(3.0, None)]
    assert "transcript.start" not in told.estimated


def test_what_the_platform_noted_is_nobody_s_turn() -> None:
    noted = stamped(3, 3200, message=None, platform_event="skip_turn_wait_elapsed")
    told = whole(noted, stamped(4, 4100, platform_event="user_turn_timeout"), metadata=STARTED)
    note, said = turns_of(told)

    assert (note.role, note.text, note.visibility) == (Role.SYSTEM, "skip_turn_wait_elapsed", Visibility.INTERNAL)
    assert (said.role, said.text) == (Role.USER, "Hi.")
    assert told.user_turns == (said,)


def test_every_file_of_a_turn_is_kept() -> None:
    front, back = ({"file_id": name, "file_url": "https://files.example.com/canary"} for name in ("front", "back"))
    told = whole(stamped(1, 1100, message=None, file_input=front, file_inputs=[front, back]))
    older = whole(stamped(1, 1100, message=None, file_input=front))

    assert [file["file_id"] for file in told.metadata["files"]] == ["front", "back"]
    assert [file["file_id"] for file in older.metadata["files"]] == ["front"]
    assert len(turns_of(told)) == 1
    assert "canary" not in json.dumps(told.metadata)


# over what


@pytest.mark.parametrize(
    ("metadata", "channel", "is_told"),
    [
        ({"phone_call": {"type": "twilio"}}, Channel.PHONE, True),
        ({"sms": {"direction": "inbound"}}, Channel.SMS, True),
        ({"whatsapp": {"direction": "inbound"}}, Channel.CHAT, True),
        ({"text_only": True}, Channel.CHAT, True),
        ({"text_only": True, "conversation_initiation_source": "react_sdk"}, Channel.CHAT, True),
        ({"conversation_initiation_source": "genesys"}, Channel.PHONE, True),
        ({"conversation_initiation_source": "twilio_sms"}, Channel.SMS, True),
        ({"conversation_initiation_source": "widget"}, Channel.WEB, True),
        ({"conversation_initiation_source": "toaster_sdk"}, Channel.WEB, False),
        ({}, Channel.WEB, False),
    ],
)
def test_channels(metadata: dict[str, Any], channel: Channel, is_told: bool) -> None:  # noqa: FBT001
    conversation = whole(metadata=metadata)

    assert conversation.channel is channel
    assert ("channel" not in conversation.estimated) is is_told


def test_a_row_says_less_of_its_channel() -> None:
    assert row().channel is Channel.UNKNOWN
    assert row().estimated == ()
    assert (row(direction="inbound").channel, row(direction="inbound").direction) == (Channel.PHONE, Direction.INBOUND)
    assert "channel" in row(direction="inbound").estimated
    assert row(conversation_initiation_source="sip_trunk").estimated == ()


def test_both_ends_of_a_line() -> None:
    sms = {"direction": "outbound", "sms_user_phone_number": "+15550145", "agent_phone_number": "+15550102"}
    conversation = whole(metadata={"sms": sms})
    agent, customer = conversation.participants

    assert (agent.phone, customer.phone) == ("+15550102", "+15550145")
    assert conversation.direction is Direction.OUTBOUND


def test_the_user_is_named_beside_the_metadata_never_in_them() -> None:
    client = {"conversation_initiation_client_data": {"user_id": "u_2"}}

    assert whole(user_id="u_1", **client).participants[1].id == "u_1"
    assert whole(**client).participants[1].id == "u_2"
    assert whole(metadata={"user_id": "u_3"}).participants[1].id is None


# what was said


def test_turns_of_one_second_keep_their_order() -> None:
    said = [{"role": "user", "message": str(n), "time_in_call_secs": 3} for n in range(5)]
    conversation = whole(*said)

    assert [(turn.index, turn.text, turn.start) for turn in turns_of(conversation)] == [
        (n, str(n), 3) for n in range(5)
    ]


@pytest.mark.parametrize("nothing", [None, [], ...])
def test_tools_may_be_null_empty_or_missing(nothing: Any) -> None:
    members = {} if nothing is ... else {"tool_calls": nothing, "tool_results": nothing}
    turn = only_turn(**members)

    assert (turn.tool_calls, turn.tool_result, turn.text) == ((), None, "Hi.")


def test_calls_and_results_are_linked_wherever_they_stand() -> None:
    call = {"request_id": "r1", "tool_name": "find", "params_as_json": '{"a": 1}'}
    result = {"request_id": "r1", "tool_name": "find", "result_value": '{"b": 2}', "tool_latency_secs": 0.5}
    together = whole({"role": "agent", "message": "Wait.", "tool_calls": [call], "tool_results": [result]})
    apart = whole(
        {"role": "agent", "message": "Wait.", "tool_calls": [call]}, {"role": "agent", "tool_results": [result]}
    )

    assert together.transcript == apart.transcript
    called, answered = turns_of(together)
    assert [(one.id, one.name, one.arguments) for one in called.tool_calls] == [("r1", "find", '{"a": 1}')]
    assert (called.text, called.participant) == ("Wait.", 0)
    assert answered.tool_result is not None
    assert (answered.role, answered.tool_result.call_id, answered.tool_result.content) == (Role.TOOL, "r1", '{"b": 2}')
    assert answered.metrics == {"tool_latency_secs": 0.5}


@pytest.mark.parametrize(
    ("result", "content", "is_error"),
    [
        ({"result_value": "ok", "is_error": False}, "ok", False),
        ({"result_value": {"b": 2}}, '{"b":2}', None),
        ({"result_value": "", "raw_error_message": "timed out", "is_error": True}, "timed out", True),
        ({"result_value": "", "type": "system", "result": {"status": "success"}}, '{"status":"success"}', None),
        ({"result_value": "no", "is_error": False, "is_blocked": True}, "no", True),
        ({"result_value": None, "result": None}, None, None),
    ],
)
def test_what_a_tool_answered(result: dict[str, Any], content: str | None, is_error: bool | None) -> None:  # noqa: FBT001
    [turn] = turns_of(whole({"role": "agent", "message": None, "tool_results": [result, None]}))

    assert turn.tool_result is not None
    assert (turn.tool_result.content, turn.tool_result.is_error) == (content, is_error)


@pytest.mark.parametrize("nested", [True, False])
def test_latencies_with_and_without_the_level_around_them(nested: bool) -> None:  # noqa: FBT001
    measured = {
        "convai_llm_service_ttfb": {"elapsed_time": 0.37},
        "convai_llm_service_ttf_sentence": {"elapsed_time": 1},
    }
    turn = only_turn(conversation_turn_metrics={"metrics": measured} if nested else measured)

    assert turn.metrics == {"convai_llm_service_ttfb": 0.37, "convai_llm_service_ttf_sentence": 1.0}


def test_latencies_of_other_forms_are_none() -> None:
    odd: dict[str, Any] = {
        "a": {"elapsed_time": None},
        "b": [],
        "c": "slow",
        "d": {},
        "e": None,
        "f": {"elapsed_time": -1},
    }
    turn = only_turn(conversation_turn_metrics={"metrics": odd, "convai_tts_model": "eleven_flash_v2_5"})

    assert turn.metrics is None
    assert only_turn(rag_retrieval_info={"rag_latency_secs": 0.2}).metrics == {"rag_latency_secs": 0.2}


def test_every_agent_of_a_conversation_speaks_for_itself() -> None:
    conversation = whole(
        {"role": "agent", "message": "a", "agent_metadata": {"agent_id": "agent_1"}},
        {"role": "agent", "message": "b", "agent_metadata": {"agent_id": "agent_3"}},
        {"role": "agent", "message": "c", "agent_metadata": None},
        {"role": "user", "message": "d", "agent_metadata": {"agent_id": "agent_3"}},
        visited_agents=[{"agent_id": "agent_1"}, {"agent_id": "agent_2"}, None],
    )

    assert [one.id for one in conversation.participants] == ["agent_1", None, "agent_2", "agent_3"]
    assert [turn.participant for turn in turns_of(conversation)] == [0, 3, 0, 1]


def test_a_new_role_keeps_its_word() -> None:
    conversation = whole({"role": "moderator", "message": "Quiet."}, {"role": None, "message": "?"})
    first, second = turns_of(conversation)

    assert (first.role, second.role) == (Role.UNKNOWN, Role.UNKNOWN)
    assert first.participant is not None
    assert conversation.participants[first.participant].name == "moderator"
    assert second.participant is None


def test_what_an_application_tells_the_agent_is_not_said_by_the_customer() -> None:
    note = {"role": "user", "message": "On page 3.", "contextual_update_info": {"context_id": "page"}}
    conversation = whole(note, {"role": "user", "message": "Hi."})
    told, said = turns_of(conversation)

    assert (told.role, told.visibility, told.text) == (Role.SYSTEM, Visibility.INTERNAL, "On page 3.")
    assert (said.index, conversation.text) == (1, "user: Hi.")


def test_several_people_and_voices_and_files_in_one_channel() -> None:
    conversation = fixture("get.conv_slack")
    turns = turns_of(conversation)

    assert turns[2].text == 'Thank you. "Paid on receipt", it says.'
    assert [turn.participant for turn in turns if turn.role is Role.USER] == [1, 2, 2]
    assert [one.id for one in conversation.participants[1:3]] == ["U01", "U02"]
    assert [file["file_id"] for file in conversation.metadata["files"]] == ["file_1", "file_2"]
    assert turns[4].text == ""
    assert conversation.links == {"slack": "https://example.slack.com/archives/C1/p17"}


def test_a_null_among_the_turns_is_an_issue() -> None:
    conversation = whole(None, {"role": "user", "message": "Hi."})

    assert [turn.index for turn in turns_of(conversation)] == [0]
    assert [issue.place for issue in conversation.issues] == ["transcript[0]"]


def test_what_was_collected_wrapped_or_bare() -> None:
    gathered = {"slot": {"value": "Tue", "rationale": "said"}, "none": {"value": None}, "bare": 2, "map": {"a": 1}}
    analysis = whole(analysis={"data_collection_results": gathered}).analysis

    assert analysis is not None
    assert analysis.collected == {"slot": "Tue", "none": None, "bare": 2, "map": {"a": 1}}


def test_a_recording_is_a_handle_and_only_where_there_is_one() -> None:
    [recording] = whole(has_audio=True).recordings

    assert recording.location == "/v1/convai/conversations/conv_1/audio"
    assert recording.access is RecordingAccess.PROVIDER_KEY
    assert whole(has_audio=False).recordings == whole().recordings == row().recordings == ()


# secrets


def test_no_credential_of_the_customer_s_tools_is_kept() -> None:
    body = CASES["get.conv_phone"].answers[0].body + CASES["get.conv_slack"].answers[0].body
    secrets = {
        "invented-calendar-token",
        "invented-query-key",
        "invented-crm-token",
        "invented-model-key",
        "signature=invented",
    }
    assert all(secret.encode() in body for secret in secrets)
    for name in ("get.conv_phone", "get.conv_slack"):
        conversation = without_secrets(fixture(name), ADAPTER.secret_fields)
        shown = msgspec.json.encode(msgspec.structs.replace(conversation, raw=None))
        kept = conversation.raw or b""
        assert not any(secret.encode() in shown + kept for secret in secrets)
    assert fixture("get.conv_phone").metadata["dynamic_variables"]["patient"] == "Dana"


# rows and details


def test_the_mood_is_in_the_row_alone_and_survives_its_details() -> None:
    mood = {"overall_label": "negative", "overall_sentiment_score": -0.4, "num_scored_user_turns": 3}
    judged = {"call_successful": "success", "data_collection_results": {"slot": {"value": "Tue"}}}
    both = merge(row(sentiment_analysis=mood, rating=2, message_count=7), whole(analysis=judged))

    assert both.analysis is not None
    assert (both.analysis.sentiment, both.analysis.success) == ("negative", True)
    assert both.analysis.collected == {"slot": "Tue"}
    assert both.analysis.scores == {"overall_sentiment_score": -0.4, "num_scored_user_turns": 3}
    assert (both.metadata["rating"], both.metadata["message_count"]) == (2, 7)


# paging


def test_a_page_is_as_large_as_may_be_and_has_summaries() -> None:
    assert asked(Query()) == "summary_mode=include&page_size=100"
    assert asked(Query(page_size=500)) == "summary_mode=include&page_size=100"
    assert asked(Query(page_size=7, options={"summary_mode": "exclude"})) == "summary_mode=exclude&page_size=7"


def test_bounds_are_a_little_wide_because_nobody_says_whether_they_count() -> None:
    at = datetime(2026, 1, 5, 8, tzinfo=UTC)  # 1767600000

    assert "call_start_after_unix=1767599999" in asked(Query(since=at))
    assert "call_start_after_unix=1767599999" in asked(Query(since=at + timedelta(seconds=0.5)))
    assert "call_start_before_unix=1767600000" in asked(Query(until=at))
    assert "call_start_before_unix=1767600001" in asked(Query(until=at + timedelta(seconds=0.5)))


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        (Status.QUEUED, "initiated"),
        (Status.RINGING, "initiated"),
        (Status.IN_PROGRESS, "in-progress"),
        (Status.PROCESSING, "processing"),
        (Status.ENDED, "done"),
        (Status.FAILED, "failed"),
        (Status.NO_ANSWER, None),
        (Status.UNKNOWN, None),
    ],
)
def test_a_status_is_asked_for_by_excluding_the_others(status: Status, kept: str | None) -> None:
    excluded = [pair.partition("=")[2] for pair in asked(Query(status=status)).split("&") if "exclude_" in pair]
    words = {"initiated", "in-progress", "processing", "done", "failed"}

    assert set(excluded) == (words - {kept} if kept else set())


def test_other_filters_go_through_and_lists_repeat_their_name() -> None:
    options = {"tool_names": ["find", "book"], "text_only": True, "rating_min": 4}

    assert asked(Query(options=options)).endswith(
        "tool_names=find&tool_names=book&text_only=true&rating_min=4&page_size=100"
    )


@pytest.mark.parametrize(
    ("members", "cursor"),
    [
        ({"next_cursor": "n", "has_more": True}, "n"),
        ({"next_cursor": "n", "has_more": None}, "n"),
        ({"next_cursor": "n", "has_more": False}, None),
        ({"next_cursor": "c", "has_more": False}, None),  # of the page itself, at the end
        ({"next_cursor": None, "has_more": False}, None),
        ({"next_cursor": "", "has_more": None}, None),
        ({"next_cursor": None, "has_more": None}, None),
    ],
)
def test_where_a_walk_ends(members: dict[str, Any], cursor: str | None) -> None:
    assert listed(page(**members), cursor="c").result.cursor == cursor


@pytest.mark.parametrize(
    "members",
    [
        {"next_cursor": None, "has_more": True},
        {"next_cursor": "", "has_more": True},
        {"next_cursor": "c", "has_more": True},
        {"next_cursor": "c", "has_more": None},
    ],
)
def test_a_walk_that_cannot_go_on_or_stands_still_is_an_error(members: dict[str, Any]) -> None:
    with pytest.raises(PaginationError):
        listed(page(**members), cursor="c")


def test_an_answer_without_a_list_is_refused() -> None:
    with pytest.raises(PayloadError):
        listed({"next_cursor": None, "has_more": False})
    with pytest.raises(RejectedError, match="gone"):
        listed({"detail": {"status": "gone", "message": "gone"}})


# starting and deleting


def started(wanted: Start, reply: Any) -> Driven[Started]:
    return drive(start(ACCOUNT, wanted), answer(reply))


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        (None, "/v1/convai/twilio/outbound-call"),
        ("twilio", "/v1/convai/twilio/outbound-call"),
        ("sip_trunk", "/v1/convai/sip-trunk/outbound-call"),
        ("exotel", "/v1/convai/exotel/outbound-call"),
    ],
)
def test_a_call_goes_out_over_the_carrier_of_the_number(provider: str | None, path: str) -> None:
    options = {"agent_phone_number_id": "phnum_1"} | ({"provider": provider} if provider else {})
    done = started(Start(agent="agent_1", to="+15550144", options=options), {"success": True, "conversation_id": "c1"})
    [request] = done.requests

    assert (request.method, request.path, request.is_safe) == ("POST", path, False)
    assert json.loads(request.body or b"") == {
        "agent_phone_number_id": "phnum_1",
        "agent_id": "agent_1",
        "to_number": "+15550144",
    }
    conversation = done.result.conversation
    assert (conversation.id, conversation.status, conversation.channel) == ("c1", Status.RINGING, Channel.PHONE)
    assert conversation.provider_status is None
    assert conversation.estimated == ("status",)


def test_a_call_that_was_not_placed_is_refused_though_the_answer_is_200() -> None:
    body = {"success": False, "message": "The number is blocked.", "conversation_id": None, "callSid": None}
    with pytest.raises(RejectedError, match=r"The number is blocked\.") as caught:
        started(Start(agent="agent_1", to="+15550144"), body)
    assert caught.value.status == 200


def test_a_call_without_the_name_of_its_conversation_is_no_conversation() -> None:
    with pytest.raises(PayloadError, match="names no conversation"):
        started(Start(agent="agent_1", to="+15550144"), {"success": True, "conversation_id": None})


def test_without_a_number_a_session_is_opened_and_its_token_hidden() -> None:
    done = started(Start(agent="agent_1"), {"token": "invented.token", "conversation_id": "c1"})

    assert target(done.requests[0], "") == "/v1/convai/conversation/token?agent_id=agent_1"
    assert done.result.token is not None
    assert done.result.token.reveal() == "invented.token"
    assert "invented.token" not in repr(done.result)
    raw = done.result.conversation.raw or b""
    assert b"invented.token" not in scrubbed(raw, ADAPTER.secret_fields)


@pytest.mark.parametrize(
    "wanted", [Start(to="+15550144"), Start(), Start(agent="a", to="+15550144", options={"provider": "pigeon"})]
)
def test_what_cannot_be_started_is_refused_before_anything_is_sent(wanted: Start) -> None:
    with pytest.raises(InvalidRefError):
        drive(start(ACCOUNT, wanted))


def test_a_deletion_may_answer_anything() -> None:
    for body in (b"", b"null", b"{}", b'"ok"'):
        drive(delete(ACCOUNT, "conv_1", {}), Response(200, {}, body))


# refusals


@pytest.mark.parametrize(
    ("status", "detail", "kind"),
    [
        (401, {"status": "invalid_api_key", "message": "No."}, AuthError),
        (400, {"status": "invalid_api_key", "message": "No."}, AuthError),
        (401, {"status": "missing_permissions", "message": "No."}, ForbiddenError),
        (401, {"status": "quota_exceeded", "message": "No."}, RejectedError),
        (400, {"code": "quota_exceeded", "message": "No."}, RejectedError),
        (401, {"status": "zz", "message": "No."}, AuthError),
        (400, {"status": "agent_not_found", "message": "No."}, NotFoundError),
        (422, {"status": "agent_not_found", "message": "No."}, RejectedError),
        (404, "No.", NotFoundError),
        (429, {"code": "rate_limit_exceeded", "status": "zz", "message": "No."}, RateLimitError),
        (429, {"code": 7, "status": "system_busy", "message": "No."}, RateLimitError),
        (400, {"code": "concurrent_limit_exceeded", "message": "No."}, RateLimitError),
        (429, "No.", RateLimitError),
        (503, {"status": "system_busy", "message": "No."}, OutageError),
        (422, [{"loc": ["query"], "msg": "No.", "type": "x"}], RejectedError),
    ],
)
def test_refusals(status: int, detail: Any, kind: type[HubError]) -> None:
    error = refusal(answer({"detail": detail}, status))

    assert type(error) is kind
    assert error.status == status
    assert error.reason.endswith("No.")
    assert error.retryable is (status in {429, 503} or kind is RateLimitError)


def test_a_refusal_without_a_message_says_its_code() -> None:
    assert refusal(answer({"detail": {"status": "needs_authorization"}}, 401)).reason == "needs_authorization"


# webhooks


def delivered(body: Any, *, signatures: str | None = None, stamp: int = 1767600000, late: float = 0) -> list[Event]:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    good = hmac.new(SECRET.encode(), f"{stamp}.".encode() + sent, hashlib.sha256).hexdigest()
    headers = {"ElevenLabs-Signature": f"t={stamp}," + (signatures or "v0={good}").format(good=good)}
    now = datetime.fromtimestamp(stamp + late, UTC)
    return webhooks.verify("elevenlabs", sent, headers, SECRET, now)


TOLD = {"conversation_id": "conv_1", "status": "done", "transcript": [{"role": "user", "message": "Hi."}]}


@pytest.mark.parametrize(
    "signatures", ["v0={good}", "v0=00,v0={good}", "v0={good},v0=00", "v1=zz,v0={good}", "v0=zz, v0={good}"]
)
def test_any_one_good_signature_is_enough(signatures: str) -> None:
    [event] = delivered({"type": "post_call_transcription", "data": TOLD}, signatures=signatures)

    assert event.verified


@pytest.mark.parametrize("signatures", ["v0=00", "v1={good}", "{good}", "v0="])
def test_no_good_signature_is_none(signatures: str) -> None:
    with pytest.raises(WebhookError):
        delivered({"type": "post_call_transcription", "data": TOLD}, signatures=signatures)


@pytest.mark.parametrize("late", [-1801, 1801])
def test_neither_old_nor_future_deliveries_are_believed(late: float) -> None:
    delivered({"type": "post_call_transcription", "data": TOLD}, late=late / 2)
    with pytest.raises(WebhookError):
        delivered({"type": "post_call_transcription", "data": TOLD}, late=late)


def test_a_delivered_conversation_is_read_as_get_reads_it() -> None:
    body = json.loads(CASES["get.conv_phone"].answers[0].body)
    [event] = delivered({"type": "post_call_transcription", "event_timestamp": 1767601960, "data": body})
    got = stamp(fixture("get.conv_phone"), ADAPTER, ADAPTER.main)

    assert event.kind is EventKind.TRANSCRIPT_READY
    assert event.conversation is not None
    assert msgspec.structs.replace(event.conversation, raw=None) == msgspec.structs.replace(got, raw=None)
    assert (event.id, event.to_fetch) == ("conv_phone:post_call_transcription", None)
    assert event.occurred_at == datetime(2026, 1, 5, 8, 32, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("post_call_transcription", {"conversation_id": "conv_1", "status": "done", "otlp_traces": {}}),
        ("post_call_audio", {"conversation_id": "conv_1", "full_audio": "//uQ"}),
        ("zz_new_kind", TOLD),
        (None, TOLD),
    ],
)
def test_what_brings_no_transcript_says_what_to_fetch(kind: str | None, data: dict[str, Any]) -> None:
    [event] = delivered({"type": kind, "data": data})

    assert event.to_fetch == "elevenlabs:conv_1"
    assert event.provider_kind == kind


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("busy", Status.NO_ANSWER, EndReason.BUSY),
        ("no-answer", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("unknown", Status.FAILED, EndReason.UNKNOWN),
        ("zz_new", Status.FAILED, EndReason.UNKNOWN),
    ],
)
def test_a_call_that_could_not_be_placed(word: str, status: Status, reason: EndReason) -> None:
    data = {
        "conversation_id": "conv_1",
        "failure_reason": word,
        "metadata": {"type": "sip", "body": {"call_sid": "s1"}},
    }
    [event] = delivered({"type": "call_initiation_failure", "data": data})

    assert event.kind is EventKind.ENDED
    assert event.conversation is not None
    assert (event.conversation.status, event.conversation.end_reason) == (status, reason)
    assert event.conversation.provider_end_reason == word
    assert event.conversation.related_ids == {"call_sid": "s1"}
    assert event.conversation.started_at is None
    assert "status" in event.conversation.estimated


def test_recordings_are_large_and_there_is_a_limit_all_the_same() -> None:
    assert ADAPTER.webhook is not None
    long = {"type": "post_call_audio", "data": {"conversation_id": "conv_1", "full_audio": "A" * 3_000_000}}

    [event] = delivered(long)
    assert event.kind is EventKind.RECORDING_READY
    assert event.conversation is None
    with pytest.raises(WebhookError) as caught:
        delivered(b" " * (ADAPTER.webhook.largest_body + 1))
    assert caught.value.status == 413


@pytest.mark.parametrize("body", [{}, {"type": "x"}, {"data": {}}, {"data": None}, {"data": []}])
def test_a_delivery_about_nothing_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        events(json.dumps(body).encode())


@pytest.mark.parametrize("kind", ["flows", "agent_qa", "speech_to_text", "voice_library_removal_notice"])
def test_what_a_workspace_is_told_beside_its_conversations_is_another_event(kind: str) -> None:
    [event] = delivered({"type": kind, "data": {"flow_id": "f1"}})

    assert (event.kind, event.provider_kind) == (EventKind.OTHER, kind)
    assert (event.id, event.conversation_id, event.conversation, event.to_fetch) == (None, None, None, None)


# against the simulator


def world_of(conversations: int) -> World:
    simulator = Simulator(conversations=conversations, seed=11, now=NOW, clock=ManualClock(), providers=("elevenlabs",))
    return simulator.worlds["elevenlabs"]


async def test_whole_conversations_have_a_mood_and_all_participants_and_no_secret() -> None:
    async with simulated("elevenlabs", seed=11, keep_raw=True) as (hub, _):
        found = await collected(hub, "elevenlabs", transcripts=True)
    assert all(b"simulated-secret" not in (conversation.raw or b"") for conversation in found)
    assert any(b"secret__crm_token" in (conversation.raw or b"") for conversation in found)
    assert any(len(conversation.participants) > 3 for conversation in found)
    judged = [conversation.analysis for conversation in found if conversation.summary and conversation.analysis]
    moods = {True: "positive", False: "negative", None: "neutral"}
    assert {analysis.success for analysis in judged} == moods.keys()
    assert [analysis.sentiment for analysis in judged] == [moods[analysis.success] for analysis in judged]


async def test_filters_bring_the_same_as_looking_at_everything() -> None:
    async with simulated("elevenlabs", conversations=120, seed=11) as (hub, running):
        everything = await collected(hub, "elevenlabs")
        at = sorted(conversation.created_at or NOW for conversation in everything)
        wanted: dict[str, Any] = {"since": at[20], "until": at[80], "status": Status.ENDED, "agent": "agent_101"}
        before = running.requests["elevenlabs"]
        found = [conversation.id async for conversation in hub.list("elevenlabs", page_size=100, **wanted)]
        assert running.requests["elevenlabs"] == before + 1, "the provider itself narrows the list"
    inside = [
        conversation.id
        for conversation in everything
        if at[20] <= (conversation.created_at or NOW) < at[80]
        and conversation.status is Status.ENDED
        and conversation.agent
        and conversation.agent.id == "agent_101"
    ]
    assert found == inside
    assert inside


async def test_calls_are_placed_found_and_deleted() -> None:
    async with simulated("elevenlabs") as (hub, _):
        options = {"agent_phone_number_id": "phnum_1"}
        called = await hub.start("elevenlabs", agent="agent_7", to="+15550144", provider_options=options)
        session = await hub.start("elevenlabs", agent="agent_7")
        assert called.conversation.status is Status.RINGING
        assert session.token
        got = await hub.get(called.conversation.ref)
        assert (got.status, got.direction, got.agent and got.agent.id) == (
            Status.RINGING,
            Direction.OUTBOUND,
            "agent_7",
        )
        await hub.delete(called.conversation.ref)
        with pytest.raises(NotFoundError):
            await hub.get(called.conversation.ref)
        with pytest.raises(RejectedError, match="not valid"):
            await hub.start("elevenlabs", agent="agent_7", to="555", provider_options=options)
        with pytest.raises(RejectedError, match="agent_phone_number_id"):
            await hub.start("elevenlabs", agent="agent_7", to="+15550144")


@pytest.mark.parametrize(
    ("path", "status", "where"),
    [
        ("/v1/convai/conversations?page_size=101", 422, "page_size"),
        ("/v1/convai/conversations?page_size=0", 422, "page_size"),
        ("/v1/convai/conversations?exclude_statuses=done&exclude_statuses=over", 422, "exclude_statuses"),
        ("/v1/convai/conversations?cursor=zz", 422, "cursor"),
        ("/v1/convai/conversations/conv_none", 404, "conv_none"),
        ("/v1/convai/elsewhere", 404, "Not Found"),
    ],
)
def test_the_simulator_refuses_in_the_provider_s_shapes(path: str, status: int, where: str) -> None:
    world = world_of(5)
    reply = SIMULATED.answer(Call("GET", path, {"xi-api-key": "any"}), world)

    assert reply.status == status
    assert where in refusal(reply).reason


def test_the_simulator_keeps_summaries_to_itself_unless_asked() -> None:
    world = world_of(30)

    def summaries(query: str) -> set[bool]:
        reply = SIMULATED.answer(Call("GET", f"/v1/convai/conversations{query}", {"xi-api-key": "any"}), world)
        return {bool(one["transcript_summary"]) for one in json.loads(reply.body)["conversations"]}

    assert summaries("") == {False}
    assert True in summaries("?summary_mode=include")


def test_the_simulated_recording_is_there_where_the_conversation_says_so() -> None:
    world = world_of(30)
    for id in map(world.corpus.id, range(30)):
        got = SIMULATED.answer(Call("GET", f"/v1/convai/conversations/{id}", {"xi-api-key": "any"}), world)
        recordings = normalize(got.body).recordings
        path = recordings[0].location if recordings else f"/v1/convai/conversations/{id}/audio"
        assert SIMULATED.answer(Call("GET", path, {"xi-api-key": "any"}), world).ok is bool(recordings)
