"""What ElevenLabs sends; and for each member that is not read, the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds

# what ElevenLabs sends

_Milliseconds = Annotated[float, msgspec.Meta(gt=0, lt=1e14)]


class ToolCall(msgspec.Struct, gc=False):
    request_id: Id | None = None
    tool_name: str | None = None
    params_as_json: Any = None


class ToolResult(msgspec.Struct, gc=False):
    request_id: Id | None = None
    type: str | None = None
    result_value: Any = None
    result: msgspec.Raw = msgspec.Raw()
    is_error: bool | None = None
    is_blocked: bool | None = None
    raw_error_message: str | None = None
    tool_latency_secs: Seconds | None = None


class Outcome(msgspec.Struct):
    """The `result` of one of the platform's own tools; that of a workflow holds the results of the tools it called."""

    result_type: str | None = None
    transfer_number: Id | None = None
    steps: list[Step | None] | None = None


class Step(msgspec.Struct):
    results: list[StepResult | None] | None = None


class StepResult(msgspec.Struct):
    result: Outcome | None = None


class Speaker(msgspec.Struct, gc=False):
    agent_id: Id | None = None


class Part(msgspec.Struct, gc=False):
    text: str | None = None


class Parts(msgspec.Struct, gc=False):
    parts: list[Part | None] | None = None


class Retrieval(msgspec.Struct, gc=False):
    rag_latency_secs: Seconds | None = None


class File(msgspec.Struct, gc=False, omit_defaults=True):
    """A file that the customer sent."""

    file_id: Id | None = None
    original_filename: str | None = None
    mime_type: str | None = None


class Metric(msgspec.Struct, gc=False):
    elapsed_time: Seconds | None = None


class TurnMetrics(msgspec.Struct, gc=False):
    metrics: dict[str, Metric | list[Any] | str | float | bool | None] | None = None
    convai_llm_service_ttfb: Metric | None = None
    convai_llm_service_ttf_sentence: Metric | None = None

    @property
    def flat(self) -> tuple[tuple[str, Metric | None], ...]:
        """The measurements as the documentation shows them: not below `metrics`, where the specification has them."""
        # https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks
        return (
            ("convai_llm_service_ttfb", self.convai_llm_service_ttfb),
            ("convai_llm_service_ttf_sentence", self.convai_llm_service_ttf_sentence),
        )


class Turn(msgspec.Struct, gc=False):
    """An entry of the transcript. The members are in the order in which they are sent, which decodes fastest."""

    role: str | None = None
    agent_metadata: Speaker | None = None
    message: str | None = None
    multivoice_message: Parts | None = None
    tool_calls: list[ToolCall | None] | None = None
    tool_results: list[ToolResult | None] | None = None
    time_in_call_secs: Seconds | None = None
    conversation_turn_metrics: TurnMetrics | None = None
    rag_retrieval_info: Retrieval | None = None
    interrupted: bool | None = None
    platform_event: AnyJson = None
    user_identifier: Id | None = None
    id: Id | None = None
    created_at_unix_ms: _Milliseconds | None = None
    file_input: File | None = None
    file_inputs: list[File | None] | None = None
    contextual_update_info: AnyJson = None


class Recipient(msgspec.Struct):
    """The recipient of a WhatsApp message, whose number may be unknown."""

    phone: Id | None = None
    bsuid: Id | None = None


class Line(msgspec.Struct):
    """A phone call, SMS or WhatsApp; each has member names of its own."""

    type: str | None = None
    direction: str | None = None
    phone_number_id: Id | None = None
    whatsapp_phone_number_id: Id | None = None
    agent_number: Id | None = None
    agent_phone_number: Id | None = None
    external_number: Id | None = None
    sms_user_phone_number: Id | None = None
    whatsapp_user_id: Id | None = None
    call_sid: Id | None = None
    call_id: Id | None = None
    stream_sid: Id | None = None
    sip_header_dynamic_variables: AnyJson = None
    call_result: str | None = None
    recipient: Recipient | None = None
    opening_message: AnyJson = None
    call_permission_request: AnyJson = None


_NO_LINE = Line()


class Batch(msgspec.Struct):
    batch_call_id: Id | None = None
    batch_call_recipient_id: Id | None = None
    campaign: AnyJson = None


class Features(msgspec.Struct):
    """Whether the conversation is stored at all."""

    pii_zrm_workspace: bool | None = None
    pii_zrm_agent: bool | None = None


class Metadata(msgspec.Struct):
    """The `metadata` of a conversation; a row has these members on its top level."""

    start_time_unix_secs: Instant = None
    accepted_time_unix_secs: Instant = None
    call_duration_secs: Seconds | None = None
    termination_reason: str | None = None
    error: AnyJson = None
    main_language: str | None = None
    text_only: bool | None = None
    conversation_initiation_source: str | None = None
    phone_call: Line | None = None
    sms: Line | None = None
    whatsapp: Line | None = None
    batch_call: Batch | None = None
    # Undecoded, to keep every digit.
    cost: msgspec.Raw = msgspec.Raw()
    cost_fiat: msgspec.Raw = msgspec.Raw()
    deletion_settings: AnyJson = None
    features_usage: Features | None = None
    async_metadata: AnyJson = None
    feedback: AnyJson = None
    warnings: AnyJson = None
    authorization_method: str | None = None
    initiator_id: Id | None = None
    timezone: str | None = None
    queue_wait_secs: AnyJson = None
    # Of a call that could not be placed: the carrier and its answer.
    type: str | None = None
    body: AnyJson = None

    @property
    def line(self) -> Line:
        """The phone call, SMS or WhatsApp; empty if there is none."""
        return self.phone_call or self.sms or self.whatsapp or _NO_LINE


class Analysis(msgspec.Struct):
    """The `analysis` of a conversation; a row has these members on its top level."""

    call_successful: str | None = None
    call_success_score: AnyJson = None
    transcript_summary: str | None = None
    call_summary_title: str | None = None
    data_collection_results: AnyJson = None
    evaluation_criteria_results: AnyJson = None
    scoped: AnyJson = None


class ClientData(msgspec.Struct):
    user_id: Id | None = None
    dynamic_variables: AnyJson = None
    conversation_config_override: AnyJson = None


_NO_CLIENT = ClientData()


class Conversation(msgspec.Struct):
    """A row of a list, or a whole conversation."""

    conversation_id: Id
    agent_id: Id | None = None
    agent_name: str | None = None
    branch_id: Id | None = None
    version_id: Id | None = None
    user_id: Id | None = None
    status: str | None = None
    transcript: list[Turn | None] | str | msgspec.UnsetType | None = msgspec.UNSET
    metadata: Metadata | None = None
    analysis: Analysis | None = None
    conversation_initiation_client_data: ClientData | None = None
    visited_agents: list[Speaker | None] | None = None
    tag_ids: list[Id | None] | None = None
    has_audio: bool | None = None
    environment: str | None = None
    conversation_product: str | None = None
    user_message_count: AnyJson = None
    agent_message_count: AnyJson = None
    # In rows only.
    direction: str | None = None
    message_count: AnyJson = None
    rating: AnyJson = None
    tool_names: AnyJson = None
    sentiment_analysis: AnyJson = None
    # Of a call that could not be placed.
    failure_reason: str | None = None

    @property
    def entries(self) -> Sequence[Turn | None]:
        """The entries of the transcript, if it is a list, as documented."""
        return self.transcript if isinstance(self.transcript, list) else ()

    @property
    def client(self) -> ClientData:
        """The data that the session was opened with."""
        return self.conversation_initiation_client_data or _NO_CLIENT


class Page(msgspec.Struct):
    conversations: list[msgspec.Raw]
    next_cursor: Id | None = None
    has_more: bool | None = None


class Begun(msgspec.Struct):
    """A call that was placed, or a session that may be joined."""

    success: bool | None = None
    message: str | None = None
    conversation_id: Id | None = None
    call_sid: Id | None = msgspec.field(default=None, name="callSid")
    sip_call_id: Id | None = None
    token: str | None = None


class Delivery(msgspec.Struct):
    data: msgspec.Raw
    type: str | None = None
    event_timestamp: Instant = None


class Named(msgspec.Struct):
    """The conversation that an event is about; some events of a workspace are about none."""

    conversation_id: Id | None = None


conversation = msgspec.json.Decoder(Conversation, strict=False)
metadata = msgspec.json.Decoder(Metadata, strict=False)
analysis = msgspec.json.Decoder(Analysis, strict=False)
outcome = msgspec.json.Decoder(Outcome, strict=False)
page = msgspec.json.Decoder(Page, strict=False)
begun = msgspec.json.Decoder(Begun, strict=False)
delivery = msgspec.json.Decoder(Delivery, strict=False)
named = msgspec.json.Decoder(Named, strict=False)

LEFT_TO_RAW = {
    "has_*_audio": "about parts of the recording; has_audio is read",
    "otlp_traces*": "the same conversation as a trace, on request",
    "visited_agents[].branch_id": "a variant of that agent",
    "conversation_initiation_client_data.branch_id": "the conversation has the same member",
    "conversation_initiation_client_data.custom_llm_extra_body*": "for the customer's own model; may hold its key",
    "conversation_initiation_client_data.environment": "the conversation has the same member",
    "conversation_initiation_client_data.procedure_ids*": "the configuration of the session",
    "conversation_initiation_client_data.source_info*": "the metadata has the source",
    "conversation_initiation_client_data.starting_workflow_node_id": "the configuration of the session",
    "metadata.agent_*_from": "how the agent was made",
    "metadata.charging*": "the breakdown of the cost",
    "metadata.conversation_initiation_source_version": "the version of the client software",
    "metadata.eleven_assistant*": "about the platform's own assistant",
    "metadata.features_usage.*": "the abilities of the agent; the transcript shows which it used",
    "metadata.rag_usage*": "the metrics of the turns have it",
    "metadata.voice_rewards*": "the earnings of the voice's owner",
    "metadata.whatsapp.awaiting_first_user_message": "the transcript shows it",
    "analysis.data_collection_results.*.data_collection_id": "the same as the key",
    "analysis.data_collection_results.*.json_schema*": "the schema of the value",
    "analysis.data_collection_results.*.rationale": "the explanation of the value",
    "analysis.*_results_list*": "the same results again",
    "transcript[].agent_metadata.branch_id": "a variant of that agent",
    "transcript[].agent_metadata.version_id": "a variant of that agent",
    "transcript[].agent_metadata.workflow_node_id": "a step of the agent's workflow",
    "transcript[].contextual_update_info.*": "the id of the application's note",
    "transcript[].conversation_turn_metrics.convai_asr_provider": "the service that was measured",
    "transcript[].conversation_turn_metrics.convai_tts_cascade": "the service that was measured",
    "transcript[].conversation_turn_metrics.convai_tts_model": "the service that was measured",
    "transcript[].feedback*": "feedback on a single turn; the metadata has the counts",
    "transcript[].conversation_turn_metrics.voice_id": "the service that was measured",
    "transcript[].file_input*.file_url": "anyone with this URL may read the file",
    "transcript[].ignored_as_backchannel": "the words were spoken all the same",
    "transcript[].llm_*": "models, tokens and prices; the cost is that of the conversation",
    "transcript[].multivoice_message.parts[].time_in_call_secs": "the time within the turn",
    "transcript[].multivoice_message.parts[].voice_label": "the name of the voice",
    "transcript[].original_message": "the words that an interruption cut off",
    "transcript[].producing_llm": "the model",
    "transcript[].rag_retrieval_info.chunks*": "the documents that were looked up",
    "transcript[].rag_retrieval_info.embedding_model": "the documents that were looked up",
    "transcript[].rag_retrieval_info.retrieval_query": "the documents that were looked up",
    "transcript[].rag_retrieval_info.used_chunk_ids*": "the documents that were looked up",
    "transcript[].reasoned": "the reasoning behind the words",
    "transcript[].reasoning*": "the reasoning behind the words",
    "transcript[].source_*": "spoken or typed",
    "transcript[].tool_calls[].tool_details*": "the customer's own server with its keys; the arguments again",
    "transcript[].tool_calls[].tool_has_been_called": "the result shows it",
    "transcript[].tool_calls[].tool_id": "the id of the tool's configuration; the name identifies it",
    "transcript[].tool_calls[].type": "the place where the tool runs",
    "transcript[].tool_results[].credential_id": "the connection that was used",
    "transcript[].tool_results[].dynamic_variable_updates*": "variables for later tools",
    "transcript[].tool_results[].error_type": "the class of the error in the result",
    "transcript[].tool_results[].integration_*": "the connection that was used",
    "transcript[].tool_results[].raw_error_message": "the same error as in the result, if that has one",
    "transcript[].tool_results[].result.*": "the text of the result, parsed",
    "transcript[].tool_results[].procedure*": "a procedure of the agent",
    "transcript[].tool_results[].*workflow_node*": "a step of the agent's workflow",
    "transcript[].tool_results[].tool_id": "the id of the tool's configuration; the name identifies it",
    "transcript[].tool_results[].tool_has_been_called": "if it was not called, the result is an error",
    "transcript[].tool_results[].tool_name": "its call has it",
    "transcript[].tool_results[].type": "the place where the tool runs",
    "transcript[].triggered_guardrails*": "the reason why words were withheld",
    "transcript[].used_static_kb_document_ids*": "the documents that were looked up",
}
