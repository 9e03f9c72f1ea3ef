"""Conversations of one length, long over, as the simulator of their provider answers about them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain, islice

import msgspec

from conversations_hub.account import Account
from conversations_hub.adapters import load
from conversations_hub.schema import Channel, Conversation, EndReason
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._truth import Truth, Turn
from conversations_hub.testing.simulator._world import Call, Simulated, World
from conversations_hub.wire import Flow, Request, Response, target

__all__ = ["NOW", "PROVIDERS", "Sent", "conversations", "simulated", "world_of"]

PROVIDERS = ("tavus", "anyreach", "voiceable", "vapi", "bland", "elevenlabs", "retell", "telnyx", "ultravox")
"""Those that are measured; each has loops by hand to be compared with."""

NOW = 1_793_700_000.0
"""The present of their providers, so that every run is answered the same."""
_SLOT = 6.0  # seconds from turn to turn
_LONG_AGO = 86_400.0
_ORIGIN = "http://localhost"


class _Calls(Corpus):
    """What is said in them is what is said in the corpus, one conversation after the other."""

    def __init__(self, provider: str, prefix: str, size: int, length: int) -> None:
        super().__init__(provider, prefix=prefix, size=size, seed=0, now=NOW)
        self._length = length

    def created(self, index: int) -> float:
        return NOW - _LONG_AGO - (self.size - index) * self._length * _SLOT

    def truth(self, index: int) -> Truth:
        call = self.fresh(index, self.created(index))
        answered = call.created + 2
        ended = answered + self._length * _SLOT
        call = replace(call, channel=Channel.PHONE, planned=ended - answered, answered=answered, ended=ended)
        return replace(call, ending=EndReason.CUSTOMER_ENDED)

    def turns(self, truth: Truth) -> tuple[Turn, ...]:
        others = (self.fresh(number, truth.created) for number in range(truth.index, sys.maxsize))
        told = chain.from_iterable(map(super().turns, others))
        return tuple(_at(place, turn) for place, turn in enumerate(islice(told, self._length)))


def _at(place: int, turn: Turn) -> Turn:
    tool = replace(turn.tool, call_id=f"call_{place}") if turn.tool else None
    return replace(turn, start=place * _SLOT, duration=min(turn.duration, 0.9 * _SLOT), tool=tool)


def simulated(provider: str) -> Simulated:
    """Return how a provider answers."""
    found: Simulated = import_module(f"conversations_hub.testing.simulator._{provider}").SIMULATED
    return found


def world_of(provider: str, size: int, length: int) -> World:
    """Return so many conversations of so many turns."""
    one = simulated(provider)
    apart = one.world(provider, conversations=0, now=NOW, clock=_stopped).others
    return World(_Calls(provider, one.prefix, size, length), _stopped, apart)


def _stopped() -> float:
    return 0.0


class Sent(msgspec.Struct, frozen=True):
    """One conversation as its provider sent it, and what was said."""

    provider: str
    id: str
    get: Callable[[], Flow[Conversation]]
    answers: list[Response]
    said: list[str]


def conversations(provider: str, size: int, length: int) -> Iterator[Sent]:
    """Yield so many conversations of so many turns, each as what `get` is answered."""
    answering, world = simulated(provider), world_of(provider, size, length)
    adapter, account = load(provider), Account(provider, key=answering.api_key, settings=answering.settings)

    def answer(request: Request) -> Response:
        signed = adapter.sign(request, account, datetime.now(UTC))
        headers = {name.lower(): value for name, value in signed.headers.items()}
        below = target(signed, _ORIGIN).removeprefix(_ORIGIN)
        return answering.answer(Call(signed.method, below, headers, signed.body or b""), world)

    assert adapter.get is not None
    for truth in world.newest():
        get = _getter(adapter.get, account, world.id(truth))
        said = [turn.text for turn in world.turns(truth) if turn.text]
        yield Sent(provider, world.id(truth), get, list(_answers(get(), answer)), said)


def _getter(
    get: Callable[[Account, str], Flow[Conversation]], account: Account, id: str
) -> Callable[[], Flow[Conversation]]:
    return lambda: get(account, id)


def _answers(flow: Flow[Conversation], answer: Callable[[Request], Response]) -> Generator[Response]:
    try:
        request = next(flow)
        while True:
            response = answer(request)
            yield response
            request = flow.send(response)
    except StopIteration:
        return
