"""The one table of metrics, which the command line and the documentation read too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

__all__ = ["METRICS", "PERCENTILES", "VERSION", "Kind", "Metric"]

Kind = Literal["count", "seconds", "share", "rate", "percentile", "flag"]
"""What sort of number it is; a percentile is of the latencies of one conversation."""

VERSION: Final = 1
"""The version of the definitions: numbers of different versions are not to be compared, and stores measure again."""


class Metric(msgspec.Struct, frozen=True):
    """The definition of one metric."""

    name: str
    unit: str
    """`s`; `1` for a count; `0-1` for a share; `1/min`; `bool`; or `unit/min`, in the unit of the cost."""
    kind: Kind
    """What sort of number it is."""
    definition: str
    """What it is, in one sentence."""
    needs: str
    """What a conversation must hold for it."""

    @property
    def is_timed(self) -> bool:
        """Whether it comes from times, so that written conversations have none."""
        return self.name not in _UNTIMED


_UNTIMED: Final = frozenset(
    {
        *("duration", "user_turns", "agent_turns", "exchanges", "user_words", "agent_words"),
        *("tool_calls", "tool_failures", "transferred", "contained"),
    }
)

_TURNS = "a transcript"
_TIMES = "the start of every spoken entry, finer than whole seconds"
_ENDS = "the start and end of every spoken entry, finer than whole seconds"
_NEIGHBOURS = f"{_TIMES}, and ends of those that are answered"
_FIRST = "the start of every spoken entry, and of the conversation"
_REASON = "an end reason, of a provider that tells transfers"

_ALL = (
    Metric("duration", "s", "seconds", "The duration, as the conversation says.", "a duration"),
    Metric("user_turns", "1", "count", "Runs of entries of the user, with nobody else in between.", _TURNS),
    Metric("agent_turns", "1", "count", "Runs of entries of the agent, with nobody else in between.", _TURNS),
    Metric("exchanges", "1", "count", "Places where a run of the user is followed by one of the agent.", _TURNS),
    Metric("user_words", "1", "count", "The user's words, as white space parts them.", _TURNS),
    Metric("agent_words", "1", "count", "The agent's words, as white space parts them.", _TURNS),
    Metric("user_talk", "s", "seconds", "How long the user spoke; entries that overlap count once.", _ENDS),
    Metric("agent_talk", "s", "seconds", "How long the agent spoke; entries that overlap count once.", _ENDS),
    Metric("talk_ratio", "0-1", "share", "`agent_talk` ÷ (`agent_talk` + `user_talk`).", _ENDS),
    Metric("overlap", "s", "seconds", "How long both spoke at once.", _ENDS),
    Metric("silence", "s", "seconds", "How long nobody spoke between the first word and the last.", _ENDS),
    Metric("longest_silence", "s", "seconds", "The longest time without a word between the first and the last.", _ENDS),
    Metric("dead_air", "1", "count", "Silences of at least 3 seconds, or of as many as the caller says.", _ENDS),
    Metric("user_monologue", "s", "seconds", "The longest time in which only the user began to speak.", _ENDS),
    Metric("agent_monologue", "s", "seconds", "The longest time in which only the agent began to speak.", _ENDS),
    Metric("user_wpm", "1/min", "rate", "`user_words` per minute of `user_talk`.", _ENDS),
    Metric("agent_wpm", "1/min", "rate", "`agent_words` per minute of `agent_talk`.", _ENDS),
    Metric(
        "response_latency_p50",
        "s",
        "percentile",
        "The median of the times from the end of an entry of the user to the start of the agent's next one, without"
        " those where the agent began earlier.",
        _NEIGHBOURS,
    ),
    Metric("response_latency_p95", "s", "percentile", "The 95th percentile of the same times.", _NEIGHBOURS),
    Metric("user_latency_p50", "s", "percentile", "The median of the same times, agent then user.", _NEIGHBOURS),
    Metric("user_latency_p95", "s", "percentile", "The 95th percentile of the same times.", _NEIGHBOURS),
    Metric(
        "reported_latency_p50",
        "s",
        "percentile",
        "The median of the provider's own figures for the time from the end of the user's words to the first sound of"
        " the answer.",
        "such a figure on turns",
    ),
    Metric(
        "reported_latency_p95",
        "s",
        "percentile",
        "The 95th percentile of the same figures.",
        "such a figure on turns",
    ),
    Metric(
        "agent_interrupted",
        "1",
        "count",
        "Entries of the agent that the provider flags as interrupted; if it flags none either way, those during which"
        " the user began, more than 0.2 s before their end.",
        f"such flags; or {_ENDS}",
    ),
    Metric(
        "user_interrupted",
        "1",
        "count",
        "Entries of the user during which the agent began, more than 0.2 s before their end.",
        _ENDS,
    ),
    Metric("time_to_first_agent_word", "s", "seconds", "From the start to the agent's first entry.", _FIRST),
    Metric("time_to_first_user_word", "s", "seconds", "From the start to the user's first entry.", _FIRST),
    Metric("tool_calls", "1", "count", "Calls of tools.", _TURNS),
    Metric(
        "tool_failures", "1", "count", "Results of tools that are errors.", "a result that says whether it is an error"
    ),
    Metric(
        "tool_latency_p50",
        "s",
        "percentile",
        "The median of the provider's own figures for calls of tools; if it has none, of the times from the start of"
        " the turn with the call to the result.",
        f"such a figure on results; or {_TIMES}, and of results",
    ),
    Metric("transferred", "bool", "flag", "Whether it was handed to a person.", _REASON),
    Metric(
        "contained",
        "bool",
        "flag",
        "Whether it was not handed to a person, of finished conversations in which both sides spoke and somebody was"
        " reached; it does not say that anything was solved.",
        f"{_REASON}, and a transcript in which both sides speak",
    ),
    Metric("cost_per_minute", "unit/min", "rate", "The cost ÷ the duration in minutes.", "a cost and a duration"),
)

METRICS: Final[Mapping[str, Metric]] = MappingProxyType({metric.name: metric for metric in _ALL})
"""Every metric by its name, in the order in which they are shown."""

PERCENTILES: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        latency: {f"{latency}_p{percent}": percent for percent in (50, 95) if f"{latency}_p{percent}" in METRICS}
        for latency in ("response_latency", "user_latency", "reported_latency", "tool_latency")
    }
)
"""The latencies whose percentiles are metrics, each with these and their percents."""
