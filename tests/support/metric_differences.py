"""What a provider cannot tell of the truth, metric by metric, and who tells what few do."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DIFFERENT", "FIRST_WORDS", "PRECISION", "WITH_ENDS", "WITH_OWN_LATENCY"]

PRECISION = 0.0021
"""Seconds by which values may differ, as in the facts about providers."""

FIRST_WORDS = ("time_to_first_agent_word", "time_to_first_user_word")
_DIALLING: dict[str, str] = dict.fromkeys(
    ("duration", *FIRST_WORDS), "it counts from dialling or joining, the truth from the answer"
)
_ROUNDED = {"duration": "whole seconds", "time_to_first_user_word": "whole seconds"}
_UNHEARD = {"agent_interrupted": "it ends before the one who interrupts is heard"}
_FEWER_TOOLS = {"tool_calls": "it does not show tools, or not all"}
_OWN_TOOLS = {"tool_calls": "it shows tools of its own, for ending and handing over"}
_OWN_TIMES = {"tool_latency_p50": "the simulated tools answer at once; the provider's figure is invented"}
_MORE_ANSWERS: dict[str, str] = dict.fromkeys(
    ("reported_latency_p50", "reported_latency_p95"),
    "it has a figure for every turn of the agent, the greeting among them",
)
_OPENED_AGAIN: dict[str, str] = dict.fromkeys(
    ("user_turns", "user_words"), "some customers write again days later, which is not in the truth of the call"
)

DIFFERENT: Mapping[str, Mapping[str, str]] = {
    "tavus": _UNHEARD,
    "anyreach": _DIALLING | _MORE_ANSWERS,
    "voiceable": _DIALLING | _FEWER_TOOLS,
    "vapi": {},
    "bland": {**_ROUNDED, "time_to_first_user_word": "some transcripts count from dialling"} | _FEWER_TOOLS,
    "elevenlabs": _ROUNDED | _OWN_TOOLS | _OWN_TIMES,
    "retell": {"silence": "the user's last words are not there"} | _UNHEARD,
    "telnyx": _DIALLING | _MORE_ANSWERS,
    "ultravox": _UNHEARD,
    "anam": _DIALLING | _FEWER_TOOLS,
    "liveavatar": _DIALLING | _FEWER_TOOLS,
    "beyond_presence": _ROUNDED | _FEWER_TOOLS,
    "fish_audio": _ROUNDED | _OWN_TOOLS | _OWN_TIMES,
    "bolna": {"duration": "tenths of a second"} | _FEWER_TOOLS,
    "cartesia": {},
    "claude": {"duration": "it counts from the creation of the session"},
    "openai": {},
    "synthflow": {"duration": "whole seconds"} | _FEWER_TOOLS,
    "intercom": {"duration": "whole seconds", "time_to_first_user_word": _DIALLING["duration"]}
    | {"transferred": "a teammate gets what is opened again days later"}
    | _OPENED_AGAIN,
    "chatwoot": dict.fromkeys(FIRST_WORDS, "it counts from the creation of the conversation")
    | _OPENED_AGAIN
    | _FEWER_TOOLS,
    "assemblyai": _OWN_TIMES,
    "twilio": _FEWER_TOOLS,
}
WITH_ENDS = {"tavus", "vapi", "retell", "ultravox", "anam", "cartesia", "assemblyai"}
"""Who says when turns end, in conversations with the usual times."""
WITH_OWN_LATENCY = {"anyreach", "vapi", "telnyx"}
