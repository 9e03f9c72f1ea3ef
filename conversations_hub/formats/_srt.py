"""SubRip: subtitles for players on the desktop. It has no standard; names stand before the texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from ..errors import FormatError
from ..schema import Conversation
from ._cues import WRITTEN, Cue, CueOptions, conversation_of, cues, milliseconds
from ._format import Format

__all__ = ["FORMAT"]


class SRTOptions(CueOptions, frozen=True, kw_only=True):
    """Those of all subtitles, and one more."""

    names: bool = True
    """When reading: whether a text begins with the name of who says it and a colon."""


def _dump(conversation: Conversation, options: SRTOptions, lost: Counter[str]) -> bytes:
    blocks = (_block(number, cue) for number, cue in enumerate(cues(conversation, options, lost), 1))
    return ("\n\n".join(blocks) + "\n").encode()


def _block(number: int, cue: Cue) -> str:
    said = f"{cue.name}: {cue.text}".replace("-->", "->")
    return f"{number}\n{_time(cue.start)} --> {_time(cue.end)}\n{said}"


def _time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02},{rest:03}"


# reading

_TIMES: Final = re.compile(r"^(?:[ \t]*\d+[ \t]*\n)?[ \t]*(\S+)[ \t]*-->[ \t]*(\S+)[^\n]*(?:\n|\Z)", re.MULTILINE)
_NAME: Final = re.compile(r"([^:\n]{1,60}): ")


def _load(data: bytes, options: SRTOptions) -> Conversation:
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    found = [*_cues(text, options)]
    if not found:
        raise FormatError("it has no subtitles")
    return conversation_of("srt", data, found, options)


def _cues(text: str, options: SRTOptions) -> Iterator[Cue]:
    heads = [*_TIMES.finditer(text)]
    for number, head in enumerate(heads):
        start, end = map(milliseconds, head.groups())
        if start is None or end is None or end <= start:
            raise FormatError(f"the times of subtitle {number + 1} cannot be read")
        said = text[head.end() : heads[number + 1].start() if number + 1 < len(heads) else None].strip()
        name = _NAME.match(said) if options.names else None
        yield Cue(start, end, name[1].strip() if name else "", said[name.end() :].strip() if name else said)


FORMAT: Final = Format(
    name="srt",
    media_type="application/x-subrip",
    suffix=".srt",
    framing="document",
    dump=_dump,
    load=_load,
    options=SRTOptions,
    writes=WRITTEN,
)
