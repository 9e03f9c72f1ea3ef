"""Who took part in a conversation, and who speaks in a turn."""

from __future__ import annotations

from ..schema import Agent, Participant, ParticipantKind, Role

__all__ = ["HUMAN_AGENTS", "Participants", "Speakers", "unknown_speaker"]

Speakers = dict[str | None, tuple[Role, int | None]]
"""Role and position of a speaker, by the provider's word. The agent is at position 0, the customer at 1."""


class Participants(list[Participant]):
    """The participants in order: the agent, the customer, then others as they appear.

    They are looked up in a table, since a conversation may have very many. After the first look-up, only `index_of` and
    `unknown_speaker` may add to the list.
    """

    __slots__ = ("_human", "_places")

    _human: int
    _places: dict[Participant, int]

    @classmethod
    def of(
        cls,
        agent: Agent,
        *,
        agent_phone: str | None = None,
        customer_id: str | None = None,
        customer_name: str | None = None,
        customer_phone: str | None = None,
    ) -> Participants:
        """Return an agent and a customer."""
        return cls(
            [
                Participant(kind=ParticipantKind.AI_AGENT, id=agent.id, name=agent.name, phone=agent_phone),
                Participant(kind=ParticipantKind.CUSTOMER, id=customer_id, name=customer_name, phone=customer_phone),
            ]
        )

    def index_of(self, one: Participant) -> int:
        """Return a participant's position; a new one is added at the end."""
        try:
            places = self._places
        except AttributeError:  # most conversations have no more than those two
            places = self._places = {known: place for place, known in reversed([*enumerate(self)])}
        place = places.setdefault(one, len(self))
        if place == len(self):
            self.append(one)
        return place

    def human_agent(self) -> int:
        """Return the position of the first human agent; if there is none, one is added."""
        try:
            return self._human
        except AttributeError:
            places = (place for place, one in enumerate(self) if one.kind is ParticipantKind.HUMAN_AGENT)
            found = next(places, None)
            self._human = self.index_of(Participant(kind=ParticipantKind.HUMAN_AGENT)) if found is None else found
            return self._human


# Not "agent", which most providers use for their AI, nor "human", which some use for the customer.
HUMAN_AGENTS = frozenset({"human_agent", "live_agent", "representative", "transfer_target"})
"""The providers' words for a person who took over."""


def unknown_speaker(word: str | None, participants: Participants) -> tuple[Role, int | None]:
    """Return role and position of a speaker who is neither agent nor customer.

    A person who took over is the first human agent among the participants, or is added to them. Any other speaker has
    an unknown role, and is a participant named by the provider's word.
    """
    if word is None or word == "":
        return Role.UNKNOWN, None
    if word.lower().replace("-", "_").replace(" ", "_") not in HUMAN_AGENTS:
        return Role.UNKNOWN, participants.index_of(Participant(name=word))
    return Role.HUMAN_AGENT, participants.human_agent()
