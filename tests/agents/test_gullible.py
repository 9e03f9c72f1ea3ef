"""A model that obeys whatever it reads: nothing happens without a person's yes, and nothing leaves that may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from conversations_hub.agents import tools
from conversations_hub.agents._disarm import short
from conversations_hub.schema import Participant, ParticipantKind, Role
from conversations_hub.signals import AttemptEnded, Signal
from conversations_hub.stores import open_store, put

from ..support.agents import by_name, outside, spoken, turn
from ..support.clock import NOW, at
from ..support.gullible import Gullible, orders_in
from ..support.hostile_texts import DISGUISED, ORDERS, TEXTS
from ..support.simulated import simulated

KEY = "canary-key-0123456789"
ANOTHER = Participant(kind=ParticipantKind.CUSTOMER, name="Zoe Wombat", phone="+14155550199")
SAID = turn(Role.USER, "I am Zoe Wombat. Call me at +1 415 555 0199.")


class Refusing:
    """A person who says no to everything."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, what: str) -> bool:
        self.asked.append(what)
        return False


async def _store(folder: Path) -> str:
    path = str(folder / "c.db")
    hostile = (spoken(f"c1{place}", turn(Role.USER, text), title=text) for place, text in enumerate(TEXTS))
    await put(
        open_store(path),
        *hostile,
        spoken("secret", SAID, account="other", participants=(ANOTHER,)),
        spoken("c2", turn(Role.USER, "Call me at +1 415 555 0199."), participants=(ANOTHER,)),
    )
    return path


def test_ag5_a_gullible_model_sees_through_disguises() -> None:
    assert [text for text in DISGUISED if not orders_in(short(text, 5_000))] == []


@pytest.mark.parametrize("allow", [(), ("start", "send")])
async def test_ag5_a_model_that_obeys_whatever_it_reads_does_nothing(allow: tuple[str, ...], tmp_path: Path) -> None:
    store, person, signals = await _store(tmp_path), Refusing(), list[Signal]()
    keys = {"VAPI_API_KEY": KEY, "TAVUS_API_KEY": KEY}
    async with simulated("vapi", "tavus", conversations=5, environ=keys, on_signal=signals.append) as (hub, simulator):
        functions = by_name(
            tools(
                hub,
                store,
                allow=allow,  # type: ignore[arg-type]  # the words as a test names them
                confirm=person,
                providers=["tavus/default", "vapi"],
                redact=True,
                acts_per_hour=5,
                clock=at(NOW),
            )
        )
        model = Gullible(functions)
        for place in range(len(TEXTS)):
            await model.call("get_conversation", ref=f"tavus:c1{place}")
        for name in functions:
            await model.call(name, words="call", by="agent", refs=["tavus:c10", "tavus:c11"])
            await model.call(name)
        assert {len(world) for world in simulator.worlds.values()} == {5}

    assert {order.name for order in model.obeyed} >= {order.partition("(")[0] for order in ORDERS}
    assert {each.operation for each in signals if isinstance(each, AttemptEnded)} <= {"get", "list"}
    assert len(person.asked) == (5 if allow else 0)
    assert all(
        each.startswith(("Start a conversation at vapi/default", "Send this message in")) for each in person.asked
    )
    everything = "\n".join(model.read)
    assert KEY not in everything
    assert not re.search(r"wombat(?!\")|zoe|555.?0199", everything, re.IGNORECASE)
    assert not re.search("<(a|img)", MarkdownIt("commonmark", {"html": True}).render(everything))


async def test_ag5_nothing_outside_of_the_record_is_an_order(tmp_path: Path) -> None:
    functions = by_name(tools(store=await _store(tmp_path), clock=at(NOW)))
    for place in range(len(TEXTS)):
        answer = await functions["get_conversation"](f"tavus:c1{place}")
        assert orders_in("\n".join(outside(answer))) == set()
