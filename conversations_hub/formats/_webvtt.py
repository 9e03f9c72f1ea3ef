"""WebVTT: subtitles for players on the web. https://www.w3.org/TR/webvtt1/"""  # noqa: D415

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from ..errors import FormatError
from ..schema import Conversation, Word
from ._cues import WRITTEN, Cue, CueOptions, conversation_of, cues, is_estimated, milliseconds
from ._format import Format

__all__ = ["FORMAT"]


class WebVTTOptions(CueOptions, frozen=True, kw_only=True):
    """Those of all subtitles, and one more."""

    words: bool = False
    """Whether to write the times of words, where they are the words of the text."""


def _dump(conversation: Conversation, options: WebVTTOptions, lost: Counter[str]) -> bytes:
    blocks = ["WEBVTT"]
    if options.policy is not None and is_estimated(conversation):
        blocks.append("NOTE times are estimated")
    blocks += (_block(cue, options, lost) for cue in cues(conversation, options, lost))
    return ("\n\n".join(blocks) + "\n").encode()


def _block(cue: Cue, options: WebVTTOptions, lost: Counter[str]) -> str:
    text = _timed(cue, lost) if options.words and cue.words else html.escape(cue.text, quote=False)
    name = cue.name.replace("<", "").replace(">", "").replace("&", "&amp;").strip()
    return f"{_time(cue.start)} --> {_time(cue.end)}\n<v {name or 'Speaker'}>{text}"


def _time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{rest:03}"


def _timed(cue: Cue, lost: Counter[str]) -> str:
    """Return the text with the time of each word before it; without, if the words are not those of the text."""
    letters = [at for at, letter in enumerate(cue.text) if letter.isalnum()]
    words = [_letters(word.text) for word in cue.words]
    if "".join(words) != _letters(cue.text):
        lost["transcript.words"] += 1
        return html.escape(cue.text, quote=False)
    pieces: list[str] = []
    written = passed = 0
    last = cue.start
    for word, own in zip(cue.words, words, strict=True):
        moment = _moment(word)
        if own and moment is not None and last < moment < cue.end:
            at, last = letters[passed], moment
            pieces += (html.escape(cue.text[written:at], quote=False), f"<{_time(moment)}>")
            written = at
        passed += len(own)
    return "".join(pieces) + html.escape(cue.text[written:], quote=False)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _moment(word: Word) -> int | None:
    return None if word.start is None or not 0 <= word.start < float("inf") else round(word.start * 1000)


# reading

# No pattern looks beyond the next tag, so the time to read a file grows with its size only.
_BLOCKS: Final = re.compile(r"\n{2,}")
_VOICE: Final = re.compile(r"<v(?:\.[^ \t<>]*)?[ \t]([^<>]*)>")
_TAG: Final = re.compile(r"<[^<>]*>")


def _load(data: bytes, options: WebVTTOptions) -> Conversation:
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    if not re.match(r"WEBVTT(?:[ \t\n]|\Z)", text):
        raise FormatError("it does not begin with WEBVTT")
    return conversation_of("vtt", data, _cues(text), options)


def _cues(text: str) -> Iterator[Cue]:
    for number, block in enumerate(_BLOCKS.split(text)[1:], 1):
        lines = block.strip("\n").split("\n")
        if "-->" not in lines[0]:
            lines = lines[1:]  # an identifier, a note or a style
        if not lines or "-->" not in lines[0]:
            continue
        start, end = _times(lines[0], number)
        spoken = "\n".join(lines[1:])
        voice = _VOICE.search(spoken)
        name = html.unescape(voice[1]).strip() if voice else ""
        yield Cue(start, end, name, html.unescape(_TAG.sub("", spoken)).strip())


def _times(line: str, number: int) -> tuple[int, int]:
    first, _, rest = line.partition("-->")
    start, end = milliseconds(first.strip()), milliseconds((rest.split() or [""])[0])
    if start is None or end is None or end <= start:
        raise FormatError(f"the times of block {number} cannot be read")
    return start, end


def _writes(options: WebVTTOptions) -> frozenset[str]:
    return WRITTEN | {"transcript.words"} if options.words else WRITTEN


FORMAT: Final = Format(
    name="vtt",
    media_type="text/vtt",
    suffix=".vtt",
    framing="document",
    dump=_dump,
    load=_load,
    options=WebVTTOptions,
    writes=_writes,
)
