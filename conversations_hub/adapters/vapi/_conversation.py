"""Vapi's calls as conversations."""

# what it means

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from ...reading.json import decode, decode_at
from ...reading.lifecycle import concluded
from ...reading.money import cost
from ...reading.offsets import LAG, followed, rebased
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.plain_text import utterances
from ...reading.recordings import signed_recording
from ...reading.values import (
    AnyJson,
    Id,
    Issues,
    drop_if_before,
    ids_of,
    in_seconds,
    instant,
    json_text,
    members_of,
    noted,
    per_second_of,
    text,
    text_at,
    unless_empty,
)
from ...schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Word,
)
from ._messages import tool_call_of, tool_result_of
from ._payload import (
    Activation,
    Artifact,
    ArtifactPlan,
    Call,
    Customer,
    Heard,
    Message,
    MonoRecording,
    PhoneNumber,
    RecordingUrls,
    SentAnalysis,
    TranscriptPlan,
    call_decoder,
    messages_decoder,
)

# https://docs.vapi.ai/api-reference/calls/get
_STATUSES = {
    "scheduled": Status.QUEUED,
    "queued": Status.QUEUED,
    "ringing": Status.RINGING,
    "in-progress": Status.IN_PROGRESS,
    "forwarding": Status.IN_PROGRESS,
    "ended": Status.ENDED,
    "not-found": Status.FAILED,
    "deletion-failed": Status.ENDED,
}

_TYPES = {
    "inboundPhoneCall": (Channel.PHONE, Direction.INBOUND),
    "outboundPhoneCall": (Channel.PHONE, Direction.OUTBOUND),
    "webCall": (Channel.WEB, Direction.UNKNOWN),
    "vapi.websocketCall": (Channel.WEB, Direction.UNKNOWN),
}

_SPEAKERS: Speakers = {
    "user": (Role.USER, 1),
    "bot": (Role.ASSISTANT, 0),
    "assistant": (Role.ASSISTANT, 0),
    "tool_calls": (Role.ASSISTANT, 0),
    "tool_call_result": (Role.TOOL, None),
    "system": (Role.SYSTEM, None),
}
_TOOL = Role.TOOL

# There are more than six hundred, and more with every release: they are matched by prefix.
# https://docs.vapi.ai/calls/call-ended-reason
_END_REASONS = {
    "customer-ended-call": (Status.ENDED, EndReason.CUSTOMER_ENDED),
    "call.ringing.sip-inbound-caller-hungup": (Status.NO_ANSWER, EndReason.CUSTOMER_ENDED),
    "assistant-ended-call": (Status.ENDED, EndReason.AGENT_ENDED),
    "assistant-said-end-call-phrase": (Status.ENDED, EndReason.AGENT_ENDED),
    "assistant-forwarded-call": (Status.ENDED, EndReason.TRANSFERRED),
    "assistant-request-returned-forwarding-phone-number": (Status.ENDED, EndReason.TRANSFERRED),
    "call.ringing.hook-executed-transfer": (Status.ENDED, EndReason.TRANSFERRED),
    "call.ending.hook-executed-transfer": (Status.ENDED, EndReason.TRANSFERRED),
    # These are about the person it was forwarded to: the call itself took place.
    "call.forwarding.operator-busy": (Status.ENDED, EndReason.BUSY),
    "call.forwarding.no-answer": (Status.ENDED, EndReason.NO_ANSWER),
    "silence-timed-out": (Status.ENDED, EndReason.SILENCE),
    "exceeded-max-duration": (Status.ENDED, EndReason.MAX_DURATION),
    "voicemail": (Status.ENDED, EndReason.VOICEMAIL),
    "customer-did-not-answer": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "customer-busy": (Status.NO_ANSWER, EndReason.BUSY),
    "twilio-reported-customer-misdialed": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "vonage-rejected": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "sip-outbound-unallocated-number": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "sip-outbound-carrier-released-call": (Status.ENDED, EndReason.UNKNOWN),
    "manually-canceled": (Status.CANCELLED, EndReason.CANCELLED),
    "scheduled-call-deleted": (Status.CANCELLED, EndReason.CANCELLED),
    "call-deleted": (Status.CANCELLED, EndReason.CANCELLED),
    "assistant-join-timed-out": (Status.FAILED, EndReason.ERROR),
    "assistant-not-": (Status.FAILED, EndReason.ERROR),
    "assistant-request-": (Status.FAILED, EndReason.ERROR),
    "customer-did-not-give-microphone-permission": (Status.FAILED, EndReason.ERROR),
    "phone-call-provider-": (Status.FAILED, EndReason.ERROR),
    "pipeline-": (Status.FAILED, EndReason.ERROR),
    "worker-shutdown": (Status.FAILED, EndReason.ERROR),
}
_CONNECTED = {
    EndReason.CUSTOMER_ENDED,
    EndReason.AGENT_ENDED,
    EndReason.TRANSFERRED,
    EndReason.SILENCE,
    EndReason.MAX_DURATION,
}
_TROUBLE = re.compile("error|fail")

# The values of an evaluation depend on its rubric; only these are verdicts.
# https://docs.vapi.ai/assistants/call-analysis
_VERDICTS = {"true": True, "pass": True, "false": False, "fail": False}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a call as Vapi sends it, in a list or alone."""
    issues = Issues()
    sent = decode(body, call_decoder, issues)
    artifact = sent.artifact or Artifact()
    status, end_reason = _outcome(sent)
    channel, direction = _TYPES.get(sent.type or "", (Channel.UNKNOWN, Direction.UNKNOWN))

    started_at = instant(sent.started_at, "startedAt", issues)
    ended_at = drop_if_before(instant(sent.ended_at, "endedAt", issues), started_at, "endedAt", issues)
    spanned = (ended_at - started_at).total_seconds() if started_at and ended_at else None
    duration = _stated_length(sent, spanned)
    estimated = [] if sent.status in _STATUSES or status is Status.UNKNOWN else ["status"]
    estimated += [] if duration is not None or spanned is None else ["duration"]
    duration = spanned if duration is None else duration

    agent = _agent(sent, artifact)
    participants = parties(agent, sent.phone_number, sent.customer_id, sent.customer)
    place, messages = _messages(sent, artifact, issues)
    parsed = _parsed(sent, artifact, messages or ())
    if parsed:
        messages = [*(messages or ()), *parsed]
        estimated.append("transcript")
    transcript = _turns(messages, artifact, participants, estimated) if messages else None
    if messages and transcript is not None and len(transcript) < len(messages):
        issues.extend(Issue(f"{place}[{position}]", "null") for position, one in enumerate(messages) if one is None)
    outputs = outputs_of(artifact.structured_outputs)
    return Conversation(
        provider="vapi",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        title=text(sent.name),
        channel=channel,
        direction=direction,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=instant(sent.created_at, "createdAt", issues),
        started_at=started_at,
        ended_at=ended_at,
        updated_at=instant(sent.updated_at, "updatedAt", issues),
        duration=duration,
        end_reason=end_reason,
        provider_end_reason=sent.ended_reason,
        transcript=transcript,
        transcript_state=_transcript_state(
            transcript, status, was_connected=started_at is not None or end_reason in _CONNECTED
        ),
        summary=_summary(sent, outputs),
        analysis=_analysis(sent, outputs),
        recordings=_recordings(sent, artifact, issues),
        cost=cost(sent.cost, "cost", issues),
        metadata=_metadata(sent, artifact, has_messages=transcript is not None),
        related_ids=_related_ids(sent),
        estimated=tuple(dict.fromkeys(estimated)),
        issues=noted(issues),
        raw=bytes(body),
    )


def _stated_length(sent: Call, spanned: float | None) -> float | None:
    if sent.duration_seconds is not None:
        return in_seconds(sent.duration_seconds, 1.0, spanned)
    if sent.duration_ms is not None:
        return in_seconds(sent.duration_ms, 0.001, spanned)
    return None if sent.duration_minutes is None else in_seconds(sent.duration_minutes, 60.0, spanned)


def _outcome(sent: Call) -> tuple[Status, EndReason | None]:
    status = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    status = concluded(status, sent.status, sent.ended_at, sent.ended_reason)
    if not sent.ended_reason:
        return status, None
    outcome, end_reason = _ending(sent.ended_reason)
    return (outcome if status is Status.ENDED else status), end_reason


def _ending(reason: str) -> tuple[Status, EndReason]:
    for beginning, ending in _END_REASONS.items():
        if reason.startswith(beginning):
            return ending
    return (Status.FAILED, EndReason.ERROR) if _TROUBLE.search(reason) else (Status.ENDED, EndReason.UNKNOWN)


def _agent(sent: Call, artifact: Artifact) -> Agent:
    id = text(sent.assistant_id)
    # The call of a squad names no assistant: it is the one that was active last.
    activations = artifact.assistant_activations or ()
    active = [one for one in activations if one and (id is None or id == text(one.assistant_id))]
    last = active[-1] if active else Activation()
    return Agent(
        id=id or text(last.assistant_id),
        name=text(sent.assistant.name if sent.assistant else None) or text(last.assistant_name),
        version=text(sent.assistant_version) or text(last.assistant_version),
    )


def parties(agent: Agent, line: PhoneNumber | None, id: Id | None, customer: Customer | None) -> Participants:
    """Return the participants of a call or session."""
    line, customer = line or PhoneNumber(), customer or Customer()
    return Participants.of(
        agent,
        agent_phone=text(line.number) or text(line.twilio_phone_number),
        customer_id=text(id) or text(customer.external_id),
        customer_name=text(customer.name),
        customer_phone=text(customer.number),
    )


def _transcript_state(
    transcript: tuple[TranscriptTurn, ...] | None, status: Status, *, was_connected: bool
) -> TranscriptState:
    if not status.is_finished:
        return TranscriptState.PENDING  # that of a running call is incomplete
    if transcript is not None:
        return TranscriptState.AVAILABLE
    # It arrives seconds after the end. If the organization keeps no data, it never does, and nothing says so.
    is_late = was_connected and status in {Status.ENDED, Status.FAILED}
    return TranscriptState.PENDING if is_late else TranscriptState.UNAVAILABLE


def _messages(sent: Call, artifact: Artifact, issues: list[Issue]) -> tuple[str, Sequence[Message | None] | None]:
    """Return the place of the messages, and the messages."""
    if artifact.messages or not sent.messages:
        return "artifact.messages", artifact.messages
    return "messages", decode_at("messages", sent.messages, messages_decoder, issues)


_SPEECH = {"user", "bot", "assistant"}


def _parsed(sent: Call, artifact: Artifact, messages: Sequence[Message | None]) -> list[Message]:
    """Return the messages in the plain-text transcript, if none of the others is speech."""
    plain = artifact.transcript or sent.transcript
    if not plain or any(one is not None and one.role in _SPEECH and one.message for one in messages):
        return []
    labels: dict[str, str] = {}
    for plan in (sent.assistant.artifact_plan if sent.assistant else None, sent.artifact_plan):
        names = plan.transcript_plan if isinstance(plan, ArtifactPlan) else None
        if isinstance(names, TranscriptPlan):
            labels |= {(names.assistant_name or "ai").lower(): "bot", (names.user_name or "user").lower(): "user"}
    told = utterances(plain, agent="bot", user="user", labels=labels)
    return [Message(role=who, message=said) for who, said in told]


def _turns(
    messages: Sequence[Message | None],
    artifact: Artifact,
    participants: Participants,
    estimated: list[str],
) -> tuple[TranscriptTurn, ...]:
    turns: list[TranscriptTurn] = []
    # With several assistants, a message without a name may be from any of them.
    unnamed = 0 if len(artifact.assistant_activations or ()) < 2 else None
    _in_milliseconds(messages)
    replies, interrupted = _exchanges(messages)
    metrics = _metrics(artifact, replies)
    lengths: Mapping[int, float] | None = None
    for position, entry in enumerate(messages):
        if entry is None:
            continue
        role, participant = _SPEAKERS.get(entry.role) or unknown_speaker(entry.role, participants)
        if entry.assistant_id or entry.assistant_name or entry.speaker_label:
            participant = _participant(entry, role, participant, participants)
        elif participant == 0:
            participant = unnamed
        time, until, duration = entry.time, entry.end_time, entry.duration
        if time and until and until >= time:
            duration = (until - time) / 1000
        elif duration is not None:
            lengths = _stated_lengths(messages) if lengths is None else lengths
            duration = lengths.get(position)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=entry.message or "",
                start=entry.seconds_from_start,
                duration=duration,
                timestamp=time / 1000 if time else None,
                participant=participant,
                interrupted=(position in interrupted or None) if interrupted else None,
                # Without a source, the value is a placeholder.
                confidence=entry.confidence if entry.confidence_source else None,
                tool_calls=tuple(map(tool_call_of, filter(None, entry.tool_calls))) if entry.tool_calls else (),
                tool_result=tool_result_of(entry.tool_call_id, entry.result) if role is _TOOL else None,
                words=_words(entry, estimated) if entry.metadata else (),
                metrics=(metrics.get(position) or None) if metrics else None,
            )
        )
    moved = rebased(turns)
    if moved:
        estimated += ["transcript.start", *["transcript.words"] * any(turn.words for turn in moved)]
    estimated += ["transcript.metrics"] * bool(metrics) + ["transcript.interrupted"] * bool(interrupted)
    return moved or tuple(turns)


def _participant(entry: Message, role: Role, position: int | None, participants: Participants) -> int | None:
    """Return the position of a named speaker: an assistant, or one of several customers."""
    agent, id, name = participants[0], text(entry.assistant_id), entry.assistant_name or None
    if role is Role.ASSISTANT:
        if id == agent.id if id and agent.id else name is not None and name == agent.name:
            return 0
        return participants.index_of(Participant(kind=ParticipantKind.AI_AGENT, id=id, name=name))
    if role is Role.USER:
        named = Participant(kind=ParticipantKind.CUSTOMER, name=entry.speaker_label)
        return participants.index_of(named) if entry.speaker_label else 1
    return position


def _in_milliseconds(messages: Sequence[Message | None]) -> None:
    """Convert instants that can only be seconds to milliseconds, in place."""
    first = next((entry.time for entry in messages if entry is not None and entry.time), None)
    if first is None or (factor := 1000 / per_second_of(first, 1000)) == 1:
        return
    for entry in filter(None, messages):
        entry.time = entry.time and entry.time * factor
        entry.end_time = entry.end_time and entry.end_time * factor


_NOTICEABLE = 200  # milliseconds; a shorter overlap is inaccurate segmentation


def _exchanges(messages: Sequence[Message | None]) -> tuple[list[int], set[int]]:
    """Return the positions of the messages that begin a reply, and of those that the customer interrupted."""
    replies: list[int] = []
    talked_over: set[int] = set()
    was_asked = is_due = False
    said: Message | None = None
    said_at = 0
    for position, entry in enumerate(messages):
        if entry is None:
            continue
        role = entry.role
        if role == "user":
            if said and said.end_time and entry.time and entry.time < said.end_time - _NOTICEABLE:
                talked_over.add(said_at)
            was_asked = is_due = True
            said = None
        elif role == "tool_calls":
            is_due = was_asked  # what follows a tool's answer is a reply of its own
        elif role in _AGENT:
            if is_due:
                replies.append(position)
                is_due = False
            said, said_at = entry, position
    return replies, talked_over


_AGENT = {"bot", "assistant"}


def _metrics(artifact: Artifact, replies: Sequence[int]) -> Mapping[int, dict[str, float]]:
    """Return the latencies by the position of the reply; none if their number differs from that of the replies."""
    listed: AnyJson = members_of(artifact.performance_metrics).get("turnLatencies")
    latencies: list[AnyJson] = listed if isinstance(listed, list) else []
    if len(latencies) != len(replies):
        return {}
    # https://docs.vapi.ai/api-reference/calls/get
    # Milliseconds. The greeting has no latency.
    return {
        position: {name: span / 1000 for name, span in latency.items() if type(span) in _NUMBERS}
        for position, latency in zip(replies, latencies, strict=True)
        if isinstance(latency, dict)
    }


_NUMBERS = {int, float}


_LONGEST_SPEECH = 120.0  # seconds


def _stated_lengths(messages: Sequence[Message | None]) -> Mapping[int, float]:
    """Return the lengths of messages, in seconds, by position.

    The documentation says seconds, and milliseconds were seen. The unit is that of a message whose end is known;
    without one, a length must fit before the next message.
    """
    unit = next(filter(None, map(_unit_of_duration, messages)), None)
    lengths: dict[int, float] = {}
    following: float | None = None
    for position, entry in zip(reversed(range(len(messages))), reversed(messages), strict=True):
        if entry is None:
            continue
        start, told = entry.seconds_from_start, entry.duration
        if told is not None:
            is_before_another = start is not None and following is not None and following > start
            room = (following or 0.0) - (start or 0.0) if is_before_another and unit is None else _LONGEST_SPEECH
            length = round(told * (unit or (1.0 if told <= room else 0.001)), 6)
            if length <= room:
                lengths[position] = length
        following = following if start is None else start
    return lengths


def _unit_of_duration(entry: Message | None) -> float | None:
    """Return the unit of a message's length, if its instants show it."""
    if entry is None or not (entry.duration and entry.time and entry.end_time):
        return None
    spoken = (entry.end_time - entry.time) / 1000
    return next((unit for unit in (1.0, 0.001) if abs(entry.duration * unit - spoken) <= max(0.2, spoken / 10)), None)


_UNLIKELY = 30  # times as late as a time in seconds could be: then it is in milliseconds
_EPOCH = 1e11  # more milliseconds than any call has


def _words(entry: Message, estimated: list[str]) -> tuple[Word, ...]:
    heard = entry.metadata.word_level_confidence if isinstance(entry.metadata, Heard) else None
    sent = [one for one in heard or () if one and one.word]
    if not sent:
        return ()
    # Seen are seconds and milliseconds from the start of the call, and Unix milliseconds.
    begin, last = entry.seconds_from_start or 0.0, sent[-1].end or sent[-1].start or 0.0
    spoken = entry.end_time - entry.time if entry.time and entry.end_time else entry.duration or 0.0
    unit = 1000.0 if last > _UNLIKELY * max(begin + spoken / 1000, 1.0) else 1.0
    zero: float | None = 0.0
    if last > _EPOCH:
        zero = None if entry.time is None or entry.seconds_from_start is None else round(entry.time - begin * 1000)
    words: list[Word] = []
    for one in sent:
        start, end = one.start, one.end
        duration = None
        if start is not None and end is not None and end >= start:
            span = end - start
            # Whole milliseconds need no rounding, which takes as long as the rest of this function.
            duration = span / unit if span.is_integer() else round(span / unit, 6)
        words.append(
            Word(
                text=one.punctuated_word or one.punctuated or one.word or "",
                start=None if start is None or zero is None else (start - zero) / unit,
                duration=duration,
                confidence=one.confidence,
            )
        )
    # Words that end before their message begins are timed from the start of the message.
    if last > _EPOCH or last / unit >= begin - LAG:
        return tuple(words)
    estimated += ["transcript.words"] if "transcript.words" not in estimated else []
    return followed(tuple(words), begin)


def outputs_of(sent: AnyJson) -> list[tuple[str, str, Any]]:
    """Return the structured outputs as (id, name, result)."""
    outputs: dict[str, AnyJson] = members_of(sent)
    return [
        (id, text_at(output, "name") or id, output.get("result"))
        for id, output in outputs.items()
        if isinstance(output, dict)
    ]


def _summary(sent: Call, outputs: Sequence[tuple[str, str, Any]]) -> str | None:
    if sent.analysis and sent.analysis.summary:
        return sent.analysis.summary
    return summary_in(outputs) or text(sent.summary)


def summary_in(outputs: Sequence[tuple[str, str, Any]]) -> str | None:
    """Return the structured output that has "summary" in its name."""
    named = (result for _, name, result in outputs if "summary" in name.lower() and isinstance(result, str))
    return next(named, None)


def _verdict(sent: Call) -> str:
    return (json_text(sent.analysis.success_evaluation) or "").strip().lower() if sent.analysis else ""


_SCORE = re.compile(r"(-?[0-9]{1,15}(\.[0-9]+)?)\s?%?")


def _analysis(sent: Call, outputs: Sequence[tuple[str, str, Any]]) -> Analysis | None:
    told = sent.analysis or SentAnalysis()
    data = told.structured_data
    collected: dict[str, Any] = {**data} if isinstance(data, dict) else {"structuredData": data} if data else {}
    if told.structured_data_multi:
        collected["structuredDataMulti"] = told.structured_data_multi
    collected = collected_in(outputs, collected)
    verdict = _verdict(sent)
    success = _VERDICTS.get(verdict)
    score = _SCORE.fullmatch(verdict) if success is None else None
    scores = {"successEvaluation": float(score[1])} if score else None
    return unless_empty(Analysis(success=success, scores=scores, collected=collected or None))


def collected_in(outputs: Sequence[tuple[str, str, Any]], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the structured outputs by name, added to others; by id if a name is taken."""
    collected = {**others}
    for id, name, result in outputs:
        collected[id if name in collected else name] = result
    return collected


def _recordings(sent: Call, artifact: Artifact, issues: list[Issue]) -> tuple[Recording, ...]:
    held = artifact.recording or RecordingUrls()
    mono = held.mono or MonoRecording()
    stereo_url = held.stereo_url or artifact.stereo_recording_url or sent.stereo_recording_url
    kinds = (
        ("mono", mono.combined_url or artifact.recording_url or sent.recording_url, artifact.presigned_mono_url),
        ("stereo", stereo_url, artifact.presigned_stereo_url),
        ("assistant", mono.assistant_url, artifact.presigned_assistant_url),
        ("customer", mono.customer_url, artifact.presigned_customer_url),
        ("video", held.video_url or artifact.video_recording_url, artifact.presigned_video_url),
    )
    # https://docs.vapi.ai/assistants/retrieve-call-artifacts
    # The plain URLs are those of private files. These can be read by a path with the account's key at any time, and by
    # the presigned URLs, which differ in every answer, for a while.
    expires_at = instant(artifact.presigned_urls_expires_at, "artifact.presignedUrlsExpiresAt", issues)
    call = f"/call/{quote(str(sent.id), safe='')}"
    found: list[Recording] = []
    for kind, private, signed in kinds:
        if private or signed:
            found.append(Recording(location=f"{call}/{kind}-recording", access=RecordingAccess.PROVIDER_KEY))
        held_at = signed_recording(signed, f"artifact.presigned{kind.capitalize()}Url", issues)
        if held_at is not None:
            found.append(msgspec.structs.replace(held_at, expires_at=expires_at))
    return tuple(found)


_IDS_OF_THE_LINE = (
    "callSid",
    "sbcCallSid",
    "callControlId",
    "callLegId",
    "callSessionId",
    "conversationUUID",
    "callUUID",
)


def _related_ids(sent: Call) -> dict[str, str]:
    return ids_of(
        {
            "squadId": sent.squad_id,
            "workflowId": sent.workflow_id,
            "campaignId": sent.campaign_id,
            "phoneCallProviderId": sent.phone_call_provider_id,
            **{name: text_at(sent.transport, name) for name in _IDS_OF_THE_LINE},
        }
    )


def _metadata(sent: Call, artifact: Artifact, *, has_messages: bool) -> dict[str, Any]:
    evaluation = sent.analysis.success_evaluation if sent.analysis else None
    inline = sent.assistant.metadata if sent.assistant else None
    told = {
        "orgId": sent.org_id,
        "type": None if sent.type in _TYPES else sent.type,
        "endedMessage": sent.ended_message,
        "phoneNumberId": sent.phone_number_id,
        "phoneCallTransport": sent.phone_call_transport,
        "phoneCallProvider": sent.phone_call_provider,
        "transport": sent.transport,
        "customer": msgspec.to_builtins(sent.customer),
        "destination": sent.destination,
        "transfers": artifact.transfers,
        "assistantActivations": msgspec.to_builtins(artifact.assistant_activations),
        "squadVersion": sent.squad_version,
        "metadata": sent.metadata,
        "assistant": {"metadata": inline} if inline else None,
        "assistantOverrides": sent.assistant_overrides and msgspec.to_builtins(sent.assistant_overrides),
        "squad": sent.squad and msgspec.to_builtins(sent.squad),
        "squadOverrides": sent.squad_overrides and msgspec.to_builtins(sent.squad_overrides),
        "workflowOverrides": sent.workflow_overrides and msgspec.to_builtins(sent.workflow_overrides),
        "variableValues": artifact.variable_values,
        "schedulePlan": sent.schedule_plan,
        "compliance": sent.compliance,
        "subscriptionLimits": sent.subscription_limits,
        "costBreakdown": sent.cost_breakdown,
        "successEvaluation": None if _verdict(sent) in _VERDICTS else evaluation,
        "performanceMetrics": artifact.performance_metrics,
        "scorecards": artifact.scorecards,
        "skippedStructuredOutputs": artifact.skipped_structured_outputs,
        "structuredOutputsLastUpdatedAt": artifact.structured_outputs_last_updated_at,
        "videoRecordingStartDelaySeconds": artifact.video_recording_start_delay_seconds,
        "transcript": None if has_messages else artifact.transcript or sent.transcript,
    }
    # Unlike empty values, 0 and False say something.
    return {name: value for name, value in told.items() if value or value == 0}
