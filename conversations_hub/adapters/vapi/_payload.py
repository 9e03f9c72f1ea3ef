"""The calls that Vapi sends, with transcript and artifacts."""

# what Vapi sends

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds

_Named = dict[str, AnyJson] | list[Any] | str | float | bool | None
_Milliseconds = Annotated[float, msgspec.Meta(gt=0, lt=1e14)]
_AnyUnit = Annotated[float, msgspec.Meta(ge=0, lt=1e14)]


class HeardWord(msgspec.Struct, gc=False):
    """A word as the transcriber heard it; only the size of its times shows their unit."""

    word: str | None = None
    punctuated_word: str | None = None
    punctuated: str | None = msgspec.field(name="punctuatedWord", default=None)
    start: _AnyUnit | None = None
    end: _AnyUnit | None = None
    confidence: Seconds | None = None


class Heard(msgspec.Struct, rename="camel", gc=False):
    word_level_confidence: list[HeardWord | None] | None = None


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: AnyJson = None


class SentToolCall(msgspec.Struct, gc=False):
    id: Id | None = None
    function: Function | None = None


class Message(msgspec.Struct, rename="camel", gc=False):
    """An entry of the transcript; its instants are Unix milliseconds."""

    role: str | None = None
    message: str | None = None
    time: _Milliseconds | None = None
    end_time: _Milliseconds | None = None
    seconds_from_start: Seconds | None = None
    duration: Seconds | None = None
    speaker_label: str | None = None
    confidence: Seconds | None = None
    confidence_source: str | None = None
    metadata: Heard | list[Any] | str | float | bool | None = None
    assistant_id: Id | None = None
    assistant_name: str | None = None
    tool_calls: list[SentToolCall | None] | None = None
    tool_call_id: Id | None = None
    result: AnyJson = None


class MonoRecording(msgspec.Struct, rename="camel"):
    combined_url: str | None = None
    assistant_url: str | None = None
    customer_url: str | None = None


class RecordingUrls(msgspec.Struct, rename="camel"):
    """The recordings; their addresses are those of private files."""

    stereo_url: str | None = None
    video_url: str | None = None
    mono: MonoRecording | None = None


class Activation(msgspec.Struct, rename="camel", omit_defaults=True):
    """An assistant that took over."""

    assistant_id: Id | None = None
    assistant_name: str | None = None
    assistant_version: str | None = None
    squad_version: str | None = None


class Artifact(msgspec.Struct, rename="camel"):
    """The results of a call; many of them arrive some seconds after the end."""

    messages: list[Message | None] | None = None
    transcript: str | None = None
    recording: RecordingUrls | None = None
    recording_url: str | None = None
    stereo_recording_url: str | None = None
    video_recording_url: str | None = None
    video_recording_start_delay_seconds: Seconds | None = None
    presigned_mono_url: str | None = None
    presigned_stereo_url: str | None = None
    presigned_assistant_url: str | None = None
    presigned_customer_url: str | None = None
    presigned_video_url: str | None = None
    presigned_urls_expires_at: Instant = None
    assistant_activations: list[Activation | None] | None = None
    transfers: AnyJson = None
    variable_values: AnyJson = None
    performance_metrics: _Named = None
    structured_outputs: _Named = None
    skipped_structured_outputs: AnyJson = None
    structured_outputs_last_updated_at: str | None = None
    scorecards: AnyJson = None


class Analysis(msgspec.Struct, rename="camel"):
    summary: str | None = None
    structured_data: AnyJson = None
    structured_data_multi: AnyJson = None
    success_evaluation: AnyJson = None


class TranscriptPlan(msgspec.Struct, rename="camel"):
    """The names of the speakers in the plain-text transcript."""

    assistant_name: str | None = None
    user_name: str | None = None


class ArtifactPlan(msgspec.Struct, rename="camel"):
    transcript_plan: TranscriptPlan | list[Any] | str | float | bool | None = None


MaybeArtifactPlan = ArtifactPlan | list[Any] | str | float | bool | None


class Assistant(msgspec.Struct, rename="camel"):
    """An assistant that is sent with the call instead of by its id."""

    name: str | None = None
    metadata: AnyJson = None
    artifact_plan: MaybeArtifactPlan = None


class Overrides(msgspec.Struct, rename="camel", omit_defaults=True):
    """Settings of the assistant that differ for this call; those that the customer attached are read."""

    variable_values: AnyJson = None
    metadata: AnyJson = None


MaybeOverrides = Overrides | list[Any] | str | float | bool | None
"""Settings that are repeated in many places: one of another form must not make a call unreadable."""


class Squad(msgspec.Struct, rename="camel", omit_defaults=True):
    """Assistants that hand over to each other, sent with the call instead of by their id."""

    members_overrides: MaybeOverrides = None


class PhoneNumber(msgspec.Struct, rename="camel"):
    """The agent's number, if it is sent with the call instead of by its id."""

    number: str | None = None
    twilio_phone_number: str | None = None


class Customer(msgspec.Struct, rename="camel", omit_defaults=True):
    number: str | None = None
    name: str | None = None
    sip_uri: str | None = None
    extension: str | None = None
    email: str | None = None
    external_id: Id | None = None
    assistant_overrides: MaybeOverrides = None
    squad_overrides: MaybeOverrides = None


class Call(msgspec.Struct, rename="camel"):
    id: Id
    org_id: Id | None = None
    type: str | None = None
    status: str | None = None
    ended_reason: str | None = None
    ended_message: str | None = None
    created_at: Instant = None
    updated_at: Instant = None
    started_at: Instant = None
    ended_at: Instant = None
    # Not in the specification; reports and exports have them.
    duration_seconds: Seconds | None = None
    duration_ms: Seconds | None = None
    duration_minutes: Seconds | None = None
    name: str | None = None
    assistant_id: Id | None = None
    assistant: Assistant | None = None
    assistant_version: str | None = None
    assistant_overrides: Overrides | None = None
    metadata: AnyJson = None
    squad_id: Id | None = None
    squad_version: str | None = None
    squad: Squad | list[Any] | str | float | bool | None = None
    squad_overrides: MaybeOverrides = None
    workflow_id: Id | None = None
    workflow_overrides: MaybeOverrides = None
    campaign_id: Id | None = None
    phone_number_id: Id | None = None
    phone_number: PhoneNumber | None = None
    phone_call_transport: str | None = None
    phone_call_provider: str | None = None
    phone_call_provider_id: Id | None = None
    transport: AnyJson = None
    customer_id: Id | None = None
    customer: Customer | None = None
    destination: AnyJson = None
    schedule_plan: AnyJson = None
    compliance: AnyJson = None
    subscription_limits: AnyJson = None
    cost: msgspec.Raw = msgspec.Raw()
    cost_breakdown: AnyJson = None
    analysis: Analysis | None = None
    artifact: Artifact | None = None
    artifact_plan: MaybeArtifactPlan = None
    # From before there were artifacts. The messages are still sent twice, so these are decoded only if needed.
    messages: msgspec.Raw = msgspec.Raw()
    transcript: str | None = None
    summary: str | None = None
    recording_url: str | None = None
    stereo_recording_url: str | None = None


call_decoder = msgspec.json.Decoder(Call, strict=False)
messages_decoder = msgspec.json.Decoder(list[Message | None] | None, strict=False)

# https://docs.vapi.ai/api-reference/calls/get
# A call repeats its configuration, including the keys of other services.
SECRETS = frozenset(
    (
        *("accessKeyId", "accessToken", "apiKey", "apiSecret", "authPassword", "authToken", "authUsername"),
        *("authentication", "authenticationPlan", "authenticationSession", "authorization", "Authorization"),
        *("awsAccessKeyId", "awsSecretAccessKey", "callSipUri", "callToken", "callUrl", "clientSecret", "controlUrl"),
        *("credential", "credentials", "gcpKey", "headers", "hmacAccessKey", "hmacSecret", "listenUrl"),
        *("ocpApimSubscriptionKey", "openAIKey", "outboundAuthenticationPlan", "password", "privateKey"),
        *("privateKeyId", "refreshToken", "secret", "secretAccessKey", "secretKey", "serverUrlSecret", "sipHeaders"),
        *("token", "twilioApiKey", "twilioApiSecret", "twilioAuthToken", "webCallSipUri", "webCallUrl", "webhookUrl"),
    )
)

_SET_UP = "the configuration of the call"
_PRIVATE = "the address of a private file; the recording has a path to it"
_FAULTS = "for debugging with Vapi's own tools"
_TWICE = "the transcript again"
_FILTERED = "about the security filter"
LEFT_TO_RAW = {
    "artifactPlan.*": _SET_UP,
    "assistant.*": _SET_UP,
    "assistantOverrides.*": _SET_UP,
    "customer.*": _SET_UP,
    "phoneNumber.*": _SET_UP,
    "squad.*": _SET_UP,
    "squadOverrides.*": _SET_UP,
    "workflow": _SET_UP,
    "workflow.*": _SET_UP,
    "workflowOverrides.*": _SET_UP,
    "monitor*": "addresses that let anyone listen in and interfere",
    "webCall*Url": "lets anyone join the running call",
    "webCallSipUri": "lets anyone join the running call",
    "costs*": "the cost by component, each with its configuration; costBreakdown has the sums",
    "recordingUrl": _PRIVATE,
    "stereoRecordingUrl": _PRIVATE,
    "artifact.*ecordingUrl": _PRIVATE,
    "artifact.recording.*": _PRIVATE,
    "artifact.*capUrl": _FAULTS,
    "artifact.*ogUrl": _FAULTS,
    "transcript": _TWICE,
    "artifact.transcript": _TWICE,
    "artifact.messagesOpenAIFormatted*": _TWICE,
    "artifact.nodes*": _TWICE,
    "artifact.messages[].source": "the component of Vapi that spoke",
    "artifact.messages[].isFiltered": _FILTERED,
    "artifact.messages[].detectedThreats*": _FILTERED,
    "artifact.messages[].originalMessage": _FILTERED,
    "artifact.messages[].confidenceSource": "the source of the confidence",
    "artifact.messages[].metadata.*": "more about the transcriber, or about a tool's answer",
    "artifact.messages[].name": "the tool call has it",
    "artifact.messages[].warnings*": "about the size of an answer",
    "artifact.messages[].toolCalls[].type": "always a function",
}
