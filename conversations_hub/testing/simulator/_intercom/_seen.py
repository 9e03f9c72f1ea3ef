"""A conversation of Intercom as it was at one moment, with its parts."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....schema import Channel, Direction, EndReason, Role
from .._later import AGAIN, LATER, NOTE, fate
from .._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from .._world import World

__all__ = ["Seen", "all_parts", "contact_of", "list_of", "row", "seen_at", "whole"]

_MOST_PARTS = 500
_TEAMMATE = 991267


@dataclass(frozen=True, slots=True)
class Seen:
    """A conversation at one moment: what was said in it so far, and what happened in it later."""

    world: World
    truth: Truth
    moment: float

    @property
    def turns(self) -> Sequence[Turn]:
        """What can be read: nothing in the minute after the end, while it is written down."""
        truth = self.truth
        if truth.answered is None or truth.phase(self.moment) is Phase.PROCESSING:
            return ()
        began = truth.answered
        return [turn for turn in self.world.turns(truth) if began + turn.start <= self.moment]

    @property
    def is_over(self) -> bool:
        return self.truth.ended <= self.moment

    @property
    def fate(self) -> str | None:
        """What happened days after the end."""
        return fate(self.truth, self.moment)

    @property
    def added(self) -> Sequence[dict[str, Any]]:
        """The parts that calls have added."""
        parts: Sequence[dict[str, Any]] = self.world.notes(self.truth).get("parts", ())
        return [part for part in parts if part["at"] <= self.moment]

    @property
    def state(self) -> str:
        told = [part["state"] for part in self.added if part["state"]]
        if told:
            return str(told[-1])
        if not self.is_over:
            return "open"
        return {"opened": "open", "snoozed": "snoozed"}.get(self.fate or "", "closed")

    @property
    def updated(self) -> float:
        truth, moment = self.truth, self.moment
        moments: list[float] = [truth.created, *(part["at"] for part in self.added)]
        if truth.answered is not None:
            moments += [truth.answered + turn.start for turn in self.turns]
        moments += [at for at in (truth.ended, truth.ended + TRANSCRIPT_DELAY) if at <= moment]
        if self.fate is not None:
            moments.append(truth.ended + LATER)
        return max(moments)


def seen_at(world: World, truth: Truth, moment: float | None = None) -> Seen:
    return Seen(world, truth, world.present if moment is None else moment)


def row(seen: Seen, *, plain: bool = False) -> dict[str, Any]:
    truth, world = seen.truth, seen.world
    turns = [turn for turn in seen.turns if turn.tool is None]
    has_escalated = seen.is_over and truth.ending is EndReason.TRANSFERRED
    admins = [{"type": "admin", "id": str(_TEAMMATE)}] if has_escalated or seen.fate is not None else []
    details = world.details(truth)
    created = int(truth.created)
    return {
        "type": "conversation",
        "id": world.id(truth),
        "title": truth.title if truth.variant & 1 else None,
        "created_at": created,
        "updated_at": int(seen.updated),
        "waiting_since": created if seen.state == "open" else None,
        "snoozed_until": int(truth.ended + LATER) + 30 * 86400 if seen.state == "snoozed" else None,
        "open": seen.state != "closed",
        "state": seen.state,
        "read": bool(truth.variant >> 1 & 1),
        "priority": "high" if truth.variant >> 2 & 7 == 0 else "none",
        "admin_assignee_id": _TEAMMATE if has_escalated else 0,
        "team_assignee_id": 0,
        "source": _source(seen, turns[0] if turns else None, plain=plain),
        "contacts": {"type": "contact.list", "contacts": [contact_of(truth, details)]},
        "teammates": {"type": "admin.list", "teammates": admins} if admins else None,
        "company": None,
        "tags": {"type": "tag.list", "tags": [{"type": "tag", "id": "7", "name": "vip"}] if truth.variant % 5 else []},
        "custom_attributes": {"order": truth.facts["order"]} if seen.is_over and turns else {},
        "linked_objects": {"type": "list", "data": [], "total_count": 0, "has_more": False},
        "first_contact_reply": None,
        "statistics": _statistics(seen),
        "conversation_rating": _rating(seen),
        "ai_agent_participated": bool(turns),
        "ai_agent": _ai_agent(seen) if turns else None,
        "sales_agent_participated": False,
        "sales_agent": None,
        "channel": {"initial": _channel(truth), "current": _channel(truth)} if truth.variant >> 5 & 1 else None,
        "sla_applied": None,
        "external_references": [],
    }


_SOURCES = {Channel.PHONE: "phone_call", Channel.EMAIL: "email"}


def _channel(truth: Truth) -> str:
    return {"phone_call": "phone", "email": "email"}.get(_SOURCES.get(truth.channel, ""), "messenger")


def _source(seen: Seen, first: Turn | None, *, plain: bool) -> dict[str, Any]:
    truth = seen.truth
    by_user = first is None or first.role is Role.USER
    is_outbound = truth.direction is Direction.OUTBOUND
    outbound = ("admin_initiated", "campaigns_initiated", "automated")[truth.variant % 3]
    return {
        "type": _SOURCES.get(truth.channel, "conversation"),
        "id": f"4039{truth.index}",
        "delivered_as": outbound if is_outbound else "customer_initiated",
        "subject": _written(truth.title, plain=plain) if truth.channel is Channel.EMAIL else "",
        "body": None if first is None else _written(first.text, plain=plain),
        "author": _person(seen) if by_user else _fin(truth, is_source=True),
        "attachments": [],
        "url": "https://shop.example.com/help" if truth.channel is Channel.WEB else None,
        "redacted": False,
    }


def contact_of(truth: Truth, details: Mapping[str, Any]) -> dict[str, Any]:
    id = details.get("contact") or f"6762f15{truth.customer:017x}"
    return {"type": "contact", "id": id, "external_id": str(truth.customer)}


def _statistics(seen: Seen) -> dict[str, Any] | None:
    truth = seen.truth
    if not seen.is_over:
        return None
    closed = int(truth.ended)
    return {
        "type": "conversation_statistics",
        "time_to_first_close": closed - int(truth.created),
        "time_to_last_close": closed - int(truth.created),
        "first_close_at": closed,
        "last_close_at": closed,
        "count_reopens": int(seen.fate == "opened"),
        "count_conversation_parts": len(all_parts(seen, plain=False)),
        "handling_time": round(truth.duration),
    }


def _rating(seen: Seen) -> dict[str, Any] | None:
    truth = seen.truth
    if truth.phase(seen.moment) is not Phase.SETTLED or truth.success is None or truth.answered is None:
        return None
    rated = int(truth.ended + TRANSCRIPT_DELAY)
    contact = {"type": "contact", "id": contact_of(truth, {})["id"]}
    found = {"rating": 5 if truth.success else 1, "remark": "", "created_at": rated, "updated_at": rated}
    return {**found, "contact": contact, "teammate": None}


def _ai_agent(seen: Seen) -> dict[str, Any]:
    truth = seen.truth
    resolution = None
    if truth.phase(seen.moment) is Phase.SETTLED:
        has_escalated = truth.ending is EndReason.TRANSFERRED
        resolved = "confirmed_resolution" if truth.success else "assumed_resolution"
        resolution = "escalated" if has_escalated else resolved
    return {
        "source_type": "workflow",
        "source_title": truth.scenario.agent,
        "last_answer_type": "ai_answer",
        "resolution_state": resolution,
        "rating": None,
        "rating_remark": None,
        "created_at": int(truth.created),
        "updated_at": int(seen.updated),
        "content_sources": {"type": "content_source.list", "total_count": 0, "content_sources": []},
    }


# its parts


def whole(world: World, truth: Truth, *, plain: bool = False) -> dict[str, Any]:
    seen = seen_at(world, truth)
    return row(seen, plain=plain) | {"conversation_parts": list_of(all_parts(seen, plain=plain))}


def list_of(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the newest parts; what was before them is left out, and only counted."""
    return {
        "type": "conversation_part.list",
        "conversation_parts": parts[-_MOST_PARTS:],
        "total_count": len(parts),
    }


def all_parts(seen: Seen, *, plain: bool) -> list[dict[str, Any]]:
    found = list(_parts(seen, plain=plain))
    return [{**part, "id": f"{seen.truth.index}{number:04}"} for number, part in enumerate(found, 1)]


def _parts(seen: Seen, *, plain: bool) -> Iterator[dict[str, Any]]:
    truth = seen.truth
    turns = list(seen.turns)
    first = next((turn for turn in turns if turn.tool is None), None)
    for turn in turns:
        if turn is not first:
            yield from _said(seen, turn, plain=plain)
    if seen.is_over and truth.phase(seen.moment) is not Phase.PROCESSING:
        if truth.ending is EndReason.TRANSFERRED and turns:
            to = {"type": "admin", "id": str(_TEAMMATE)}
            yield _part("assignment", truth.ended, _fin(truth), assigned_to=to)
        yield _part("close", truth.ended, _admin() if truth.variant & 1 else _fin(truth), state="closed")
    if seen.fate is not None:
        yield _happened(seen, seen.fate, plain=plain)
    for part in seen.added:
        author = _person(seen) if part["by"] == "user" else _admin(part["admin"])
        body = part["body"] and _written(part["body"], plain=plain)
        yield _part(part["type"], part["at"], author, body=body, state=part["state"] or seen.state)


def _said(seen: Seen, turn: Turn, *, plain: bool) -> Iterator[dict[str, Any]]:
    truth = seen.truth
    moment = (truth.answered or 0.0) + turn.start
    tool = turn.tool
    if tool is not None:
        for kind, result in (("started", None), ("finished", "failed" if tool.is_error else "success")):
            action = {"name": tool.name, **({"result": result} if result else {})}
            yield _part(f"custom_action_{kind}", moment, _fin(truth), event_details={"action": action})
        return
    author = _person(seen) if turn.role is Role.USER else _fin(truth)
    yield _part("comment", moment, author, body=_written(turn.text, plain=plain))


def _happened(seen: Seen, what: str, *, plain: bool) -> dict[str, Any]:
    moment = seen.truth.ended + LATER
    if what == "opened":
        return _part("open", moment, _person(seen), body=_written(AGAIN, plain=plain))
    if what == "snoozed":
        return _part("snoozed", moment, _admin(), state="snoozed")
    return _part("note", moment, _admin(), body=_written(NOTE, plain=plain), state="closed")


def _part(
    kind: str, moment: float, author: dict[str, Any], *, body: str | None = None, state: str = "open", **more: Any
) -> dict[str, Any]:
    at = int(moment)
    return {
        "type": "conversation_part",
        "id": "",
        "part_type": kind,
        "body": body,
        "created_at": at,
        "updated_at": at,
        "notified_at": at,
        "assigned_to": None,
        "author": author,
        "attachments": [],
        "external_id": None,
        "state": state,
        "redacted": False,
        "tags": None,
        "metadata": {},
        "event_details": None,
        "email_message_metadata": None,
        "app_package_code": None,
        **more,
    }


def _written(text: str, *, plain: bool) -> str:
    return text if plain else "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in text.split("\n"))


def _person(seen: Seen) -> dict[str, Any]:
    truth = seen.truth
    id = contact_of(truth, seen.world.details(truth))["id"]
    return {"type": "user", "id": id, "name": truth.facts["name"], "email": f"c{truth.customer}@example.com"}


def _fin(truth: Truth, *, is_source: bool = False) -> dict[str, Any]:
    told = {"type": "bot", "id": str(truth.scenario.number), "name": truth.scenario.agent, "email": "fin@example.com"}
    return told if is_source else {**told, "from_ai_agent": True, "is_ai_answer": True}


def _admin(id: str | None = None) -> dict[str, Any]:
    about = {"type": "admin", "id": id or str(_TEAMMATE), "name": "Tess", "email": "tess@example.com"}
    return {**about, "from_ai_agent": False, "is_ai_answer": False}
