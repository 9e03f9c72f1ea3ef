"""Conversations as CSV that is safe for spreadsheets: they run nothing in it, and every loss is counted."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from io import StringIO
from operator import is_not
from typing import Final, Literal

import msgspec

from ..schema import Agent, Analysis, Conversation
from ._format import Format, NoOptions

__all__ = ["COLUMNS", "FORMAT", "Rows", "Write", "write_csv", "write_lines"]

Write = Callable[[bytes], object]

Rows = Literal["turns", "conversations"]
"""What each line stands for."""

_ABOUT: Final = (
    "ref",
    "provider",
    "account",
    "id",
    "title",
    "status",
    "channel",
    "direction",
    "agent",
    "created_at",
    "started_at",
    "duration",
    "end_reason",
    "transcript_state",
)
COLUMNS: Final[dict[Rows, tuple[str, ...]]] = {
    "turns": (*_ABOUT, "position", "role", "start", "timestamp", "text", "tools"),
    "conversations": (
        *_ABOUT,
        "ended_at",
        "language",
        "turns",
        "success",
        "sentiment",
        "cost",
        "cost_unit",
        "tags",
        "summary",
        "transcript",
    ),
}
"""`agent` is the agent's name, else its id; `tools` the names of called tools. Spans are seconds, instants UTC."""


def write_csv(
    conversations: Iterable[Conversation],
    write: Write,
    *,
    neutralized: bool = True,
    rows: Rows = "turns",
    changed: Counter[str] | None = None,
) -> int:
    r"""Write a line with `COLUMNS` for each turn, or for each conversation, and return the number of conversations.

    With `rows="turns"`, a conversation without turns has one line with an empty position. The format is RFC 4180 in
    UTF-8 with a byte order mark, without which Excel assumes another encoding; Python reads it with
    `encoding="utf-8-sig", newline=""`.

    Whatever a spreadsheet would run or spoil is made harmless, and `changed` counts the changed cells:

    - `formula`: an apostrophe is put before `=`, `+`, `-`, `@`, or the full-width form of such a sign, at the start of
      a text or after a `;`, a tab or a line break in it, where some spreadsheets start a new cell; blanks, quotes and
      apostrophes before the sign are skipped. One is also put before a text that starts with a tab or a line break.
    - `number`: an apostrophe is put before a text of digits only that starts with 0 or has more than 15 of them.
    - `cut`: a text of more than 32,767 characters, counted as UTF-16, is cut there and ends in ` [cut]`.
    - `beyond`: lines after the 1,048,576th, which are written but which no spreadsheet shows.

    Numbers stay numbers. With `neutralized=False` all texts stay unchanged: for programs, not for spreadsheets. Either
    way, the columns of the conversation that are repeated for each turn are cut at 1,000 characters: `repeated`.
    """
    counted: Counter[str] = Counter()
    count = 0

    def cells() -> Iterator[Iterable[object]]:
        nonlocal count
        yield COLUMNS[rows]
        for conversation in conversations:
            count += 1
            if rows == "turns":
                yield from _turns(conversation, clean, counted)
            else:
                yield [clean(cell, counted) for cell in _whole(conversation)]

    clean = _harmless if neutralized else _unchanged
    number = write_lines(cells(), write, None)
    if changed is not None:
        changed.update(counted)
        if number > _MOST_LINES:
            changed["beyond"] += number - _MOST_LINES
    return count


def _about(conversation: Conversation) -> tuple[object, ...]:
    agent = conversation.agent or Agent()
    return (
        conversation.ref,
        conversation.provider,
        conversation.account,
        conversation.id,
        conversation.title,
        conversation.status,
        conversation.channel,
        conversation.direction,
        agent.name or agent.id,
        _instant(conversation.created_at),
        _instant(conversation.started_at),
        conversation.duration,
        conversation.end_reason,
        conversation.transcript_state,
    )


_Clean = Callable[[object, Counter[str]], object]
"""Returns a cell as it may be written, and counts it if it is changed."""


def _turns(conversation: Conversation, clean: _Clean, counted: Counter[str]) -> Iterator[list[object]]:
    about = _about(conversation)
    turns = conversation.transcript
    if not turns:
        yield [clean(cell, counted) for cell in about] + [None] * (len(COLUMNS["turns"]) - len(about))
        return
    # What is repeated is looked at once, and counted for each line.
    changed: Counter[str] = Counter()
    short = [*map(_short, about)]
    changed["repeated"] += sum(map(is_not, short, about))
    repeated = [clean(cell, changed) for cell in short]
    for kind, number in changed.items():
        counted[kind] += number * len(turns)
    for turn in turns:
        tools = ", ".join(call.name or "unknown" for call in turn.tool_calls)
        moment = _instant(turn.started_at)
        said = clean(turn.text, counted)
        yield [*repeated, turn.index, turn.role, turn.start, moment, said, clean(tools, counted)]


def _whole(conversation: Conversation) -> tuple[object, ...]:
    analysis = conversation.analysis or Analysis()
    cost = conversation.cost
    return (
        *_about(conversation),
        _instant(conversation.ended_at),
        conversation.language,
        None if conversation.transcript is None else len(conversation.transcript),
        analysis.success,
        analysis.sentiment,
        cost and cost.amount,
        cost and cost.unit,
        ", ".join(conversation.tags),
        conversation.summary,
        conversation.text,
    )


def _short(cell: object) -> object:
    """Return a cell, cut because it is repeated for every turn: a long one would multiply the size of the file."""
    if not isinstance(cell, str) or len(cell) <= _MOST_REPEATED:
        return cell
    return cell[: _MOST_REPEATED - len(_CUT)] + _CUT


def _instant(moment: datetime | None) -> object:
    return msgspec.to_builtins(moment)


def write_lines(rows: Iterable[Iterable[object]], write: Write, changed: Counter[str] | None) -> int:
    """Write lines in pieces, and return how many; make each text harmless, and count it, unless `changed` is None."""
    if changed is not None:
        rows = ([_harmless(cell, changed) for cell in row] for row in rows)
    text = StringIO(newline="")
    add = csv.writer(text).writerow
    number = 0
    write(BOM_UTF8)
    for row in rows:
        add(row)
        number += 1
        if text.tell() >= _PIECE:
            write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
    write(text.getvalue().encode())
    return number


# https://support.microsoft.com/en-us/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3
_MOST_LINES: Final = 1_048_576
_MOST_CHARACTERS: Final = 32_767
_MOST_REPEATED: Final = 1_000
_PIECE: Final = 2**16  # characters
_CUT: Final = " [cut]"

# https://owasp.org/www-community/attacks/CSV_Injection. Characters before a sign are skipped: blanks and invisible
# ones, because some programs trim them; quotes, because some programs split cells elsewhere; and apostrophes, so that
# none is taken for ours.
_BEFORE: Final = "(?:[^\\S\t\r\n]|[\0-\x08\x0e-\x1f'\"\u200b-\u200f\u2060\ufeff])*"
_SIGN: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_AT_THE_BEGINNING: Final = re.compile(f"{_BEFORE}[{_SIGN}\t\r\n]")
_SEPARATOR: Final = re.compile("[;\t\r\n]")
_INSIDE: Final = re.compile(f"([;\t\r\n])(?={_BEFORE}[{_SIGN}])")
_NUMBER: Final = re.compile("'*(?:0[0-9]+|[0-9]{16,})")


def _unchanged(cell: object, _: Counter[str]) -> object:
    return cell


def _harmless(cell: object, counted: Counter[str]) -> object:
    if not isinstance(cell, str) or not cell or _is_plain(cell):
        return cell
    begins = _AT_THE_BEGINNING.match(cell)
    cell, inside = _INSIDE.subn("\\1'", cell)
    if begins:
        cell = f"'{cell}"
    if begins or inside:
        counted["formula"] += 1
    elif _NUMBER.fullmatch(cell):
        counted["number"] += 1
        cell = f"'{cell}"
    if len(cell) > _MOST_CHARACTERS // 2 and (cut := _cut(cell)) != cell:
        counted["cut"] += 1
        cell = cut
    return cell


def _is_plain(cell: str) -> bool:
    """Whether a quick look shows that a cell is harmless, as most are; the full check takes ten times as long."""
    begins_plainly = cell[0].isalnum() and not cell.isdigit()
    return begins_plainly and len(cell) <= _MOST_CHARACTERS // 2 and _SEPARATOR.search(cell) is None


def _cut(text: str) -> str:
    """Return the part of a text that fits into a cell; spreadsheets count most emoji as two characters."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * _MOST_CHARACTERS:
        return text
    return units[: 2 * (_MOST_CHARACTERS - len(_CUT))].decode("utf-16-le", "ignore") + _CUT


# as one of the formats


class CSVOptions(NoOptions, frozen=True, kw_only=True):
    """As `write_csv` takes them."""

    neutralized: bool = True
    rows: Rows = "turns"


def _dump(conversation: Conversation, options: CSVOptions, lost: Counter[str]) -> bytes:
    pieces: list[bytes] = []
    changed: Counter[str] = Counter()
    write_csv([conversation], pieces.append, neutralized=options.neutralized, rows=options.rows, changed=changed)
    lost.update({f"{kind} cells": changed[kind] for kind in ("cut", "repeated") if changed[kind]})
    return b"".join(pieces)[len(_head(options)) :]


def _head(options: CSVOptions) -> bytes:
    pieces: list[bytes] = []
    write_csv((), pieces.append, rows=options.rows)
    return b"".join(pieces)


_WRITTEN: Final = frozenset(
    {
        *("provider", "account", "id", "title", "status", "channel", "direction", "agent", "created_at", "started_at"),
        *("duration", "end_reason", "transcript", "transcript_state"),
        *(f"transcript.{name}" for name in ("index", "role", "text")),
    }
)
_WRITTEN_OF: Final[dict[Rows, frozenset[str]]] = {
    "turns": _WRITTEN | {f"transcript.{name}" for name in ("start", "timestamp", "tool_calls")},
    "conversations": _WRITTEN | {"ended_at", "language", "analysis", "cost", "tags", "summary"},
}


def _writes(options: CSVOptions) -> frozenset[str]:
    return _WRITTEN_OF[options.rows]


FORMAT: Final = Format(
    name="csv",
    media_type="text/csv",
    suffix=".csv",
    framing="table",
    dump=_dump,
    head=_head,
    options=CSVOptions,
    writes=_writes,
)
