"""Tools that read send nothing but reads, whatever they are asked."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from conversations_hub.adapters import BUILTIN
from conversations_hub.agents import Tool, call, tools
from conversations_hub.agents._tools import NAMES
from conversations_hub.errors import HubError
from conversations_hub.signals import AttemptEnded, Signal
from conversations_hub.stores import open_store
from conversations_hub.sync import sync

from ..support.clock import NOW, at
from ..support.hostile_texts import ORDERS, TEXTS
from ..support.simulated import simulated

_ROUNDS = 60  # of each tool
_READ_BY_POST = {("intercom", "/conversations/search"), ("intercom", "/calls/search")}
_ODD: Sequence[Any] = (*TEXTS, *ORDERS, None, True, False, 0, -1, 10**9, [], {})


def _arguments(tool: Tool, random: Random, usual: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return arguments for a tool: most of them such as it takes, some that nobody should give."""
    given: dict[str, Any] = {}
    for name, each in inspect.signature(tool).parameters.items():
        if each.default is inspect.Parameter.empty or random.random() < 0.3:
            given[name] = random.choice(usual.get(name, _ODD) if random.random() < 0.8 else _ODD)
    return given


async def test_ag6_whatever_is_asked_nothing_is_sent_but_reads(tmp_path: Path) -> None:
    random, signals = Random(6), list[Signal]()  # noqa: S311  (arguments, no secret)
    async with simulated(conversations=3, on_signal=signals.append) as (hub, simulator):
        store = open_store(str(tmp_path / "c.db"))
        await sync(hub, store)
        with store.reader() as reader:
            refs = [one.ref for one in reader.conversations()]
        usual: dict[str, Sequence[Any]] = {
            "ref": refs,
            "refs": [random.choices(refs, k=3) for _ in range(20)],
            "provider": BUILTIN,
            "since": ("7d", "2026-11-20"),
            "until": ("1d",),
            "by": ("day", "agent"),
            "words": ("call", "thank you"),
            "turn": (0, 1),
        }
        before = {name: len(world) for name, world in simulator.worlds.items()}
        signals.clear()
        answered: Counter[str] = Counter()
        for functions in (tools(hub, None, clock=at(NOW)), tools(hub, store, clock=at(NOW))):
            for tool in functions * _ROUNDS:
                with suppress(HubError):
                    await call(functions, tool.__name__, _arguments(tool, random, usual))
                    answered[tool.__name__] += 1
        assert {name: len(world) for name, world in simulator.worlds.items()} == before
    sent = [each for each in signals if isinstance(each, AttemptEnded)]
    assert answered.keys() == set(NAMES[:10])
    assert len(sent) > 100
    assert {each.operation for each in sent} == {"get", "list"}
    assert {(each.provider, each.path) for each in sent if each.method != "GET"} <= _READ_BY_POST
