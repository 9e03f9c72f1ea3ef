"""Removes personal data from conversations before they are stored: what looks like an address or a number, not names.

It finds patterns, so it lowers a risk and does not prove anonymity. It covers e-mail addresses; digits of any script,
grouped by spaces or line breaks, dashes, dots or brackets; the same escaped in URLs; and both as English speech:
digits, "oh", "double", "triple", "ten" to "ninety", "hundred", with "uh" and "dash" in between, and "jane dot doe at
example dot com". It does not cover names, postal addresses, numbers spoken in other languages or over several turns,
or digits attached to Latin letters, which are ids (`conv_123456`). Dates, times, years, decimals, and amounts next to a
unit stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from enum import Enum
from functools import cache
from itertools import accumulate, repeat
from operator import is_
from typing import Any, TypeVar, cast

import msgspec

from ..errors import ConfigurationError
from ..schema import Agent, Analysis, Conversation, Participant, ToolCall, ToolResult, TranscriptTurn, Word

__all__ = ["PersonalData"]

_KINDS = ("email", "phone", "card", "number")

# All patterns match lower case, and every repetition is possessive or bounded, so that each takes linear time.

_ADDRESS = "a-z0-9à-ӿ_.+%'-"
_PLAIN_EMAIL = rf"([{_ADDRESS}]++@[{_ADDRESS}]*\.[a-zà-ӿ]{{2,}}+[a-z0-9à-ӿ_]*+)"
_EMAIL = re.compile(rf"(?<![{_ADDRESS}]){_PLAIN_EMAIL}")
_NEXT_EMAIL = re.compile(rf"[_.+%'-]*+{_PLAIN_EMAIL}")  # directly after another one

_ATOM = rf"(?:[a-z](?: [a-z](?![{_ADDRESS}]))++|[{_ADDRESS}]++)"
_SPOKEN_EMAIL = re.compile(
    # It begins only where no earlier part of the address precedes: not after a joining word, nor amid single letters.
    rf"(?<![{_ADDRESS}])(?<!dot )(?<!underscore )(?<!dash )(?<!hyphen )(?<!plus )(?:(?<!(?<!')\b[a-z] )|(?![a-z] ))"
    rf"{_ATOM}(?: (?:dot|underscore|dash|hyphen|plus) {_ATOM})*+"
    rf"(?: at |@)(?:[{_ADDRESS}]+ ){{1,12}}?dot [a-z]{{2,}}+(?: dot [a-z]{{2,}}+)*+[a-z0-9à-ӿ_]*+"
    rf"|(?<![{_ADDRESS}])(?=[{_ADDRESS}]*?[0-9._+])[{_ADDRESS}]++ at [a-z0-9-]++(?:\.[a-z0-9-]++)++"
)

_BETWEEN = r"[ ()\xa0\u2010-\u2015-]"
# A group that continues as a time or as an id does not count; "x" begins an extension.
_GROUP = r"\d++(?!:\d)(?!(?!x\d|ext)[a-z_])"
_DIGITS = re.compile(
    # Text that is too short for any of these is skipped at once.
    r"(?=[0-9a-f]{8}-|[+( ]{0,3}\d(?:[^a-z\d,]{0,3}\d){2})(?:"
    r"(?P<kept>(?<![a-z0-9])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![a-z0-9])"
    r"|(?<![\d-])(?:19|20)\d\d([-./])[01]?\d\2[0-3]?\d(?![-./]?\d)(?:[t ]\d\d:?\d\d(?::?\d\d)?(?:\.\d{1,9})?)?"
    r"(?:[+-]\d\d:?\d\d(?!\d))?"
    r"|(?<![\d-])[0-3]?\d([-./])[0-3]?\d\3(?:19|20)\d\d(?![-./]?\d)"
    r"|(?<!\d)\d{1,2}:\d\d(?!\d))"
    r"|(?<![a-z\d])(?<!\d\.)\(?\d{1,4}\)?(?:\.\d{2,4}){2,5}+(?!\.?\d)"
    rf"|(?<![a-z\d])(?<![a-z\d]_)(?<!\d\.)(?:\+ ?)?\(?(?=\d(?:{_BETWEEN}{{0,3}}\d){{5}})"
    rf"{_GROUP}(?:{_BETWEEN}{{1,3}}+{_GROUP})*+)"
)
_ANY_DIGIT = re.compile(r"\d")
_LOOSE_DIGIT = re.compile(r"(?<![a-z\d])\d")
_GROUPS = re.compile(r"\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")
_CURRENCY_BEFORE = re.compile(r"[$€£¥] ?$")
_UNIT_BEHIND = re.compile(
    r" ?(?:[$€£¥%]|(?:usd|eur|gbp|dollars?|euros?|pounds|cents|ms|milliseconds|seconds|minutes|hours|bytes|percent)\b)"
)

_DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TENS_WORDS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_UNITS = {word: str(number) for number, word in enumerate(_DIGIT_WORDS)}
_TENS = {word: str(number) for number, word in enumerate(_TENS_WORDS, 2)}
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_SPOKEN = (
    _UNITS
    | dict.fromkeys(("oh", "o", "nought", "naught"), "0")
    | {word: str(number) for number, word in enumerate(_TEENS, 10)}
    | {word: digit + "0" for word, digit in _TENS.items()}
)
_TIMES = {"double": 2, "triple": 3}
_NUMBER_WORD = (
    rf"(?:(?:{'|'.join([*_SPOKEN, *_TIMES, 'hundred'])})(?![a-z0-9_'])"
    # Digits among the words stand alone, and are not a year.
    r"|(?<!\S)(?!(?:19|20)\d\d(?!\d))\d{1,4}(?![^\s,]))"
)
_NUMBER_WORDS = re.compile(
    rf"(?<![a-z0-9_'])(?=[zonftsedh\d]){_NUMBER_WORD}"
    rf"(?:[\s,.-]{{1,3}}+(?:(?:uh|um|er|erm|dash|hyphen)[\s,.]{{1,2}}+)?+{_NUMBER_WORD}){{2,}}+"
)
_SPOKEN_OR_DIGITS = re.compile(r"[a-z]+|\d+")

# An escape in a URL, which may itself be escaped: %2540.
_ESCAPE = re.compile(r"%(?:25)*([2-7][0-9A-Fa-f])")
# Characters that are replaced one for one: all kinds of spaces, full-width characters, and invisible ones, which join.
_SIMPLE = (
    dict.fromkeys([*range(9, 14), *range(28, 32), 0x85, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029], " ")
    | dict.fromkeys([0x202F, 0x205F, 0x3000], " ")
    | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | dict.fromkeys([0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF], "-")
)

# Real speech takes two rounds. A text that is made to take a round for each match loses everything that may be one.
_MOST_ROUNDS = 8
_AT_ANYTHING = re.compile(r"(?<!\S)(?:\S*+(?: at \S*+)++|[^\s@]*+@\S*+)")
_ANY_DIGITS = re.compile(r"\d+")
_ANY_NUMBER_WORD = re.compile(rf"(?<![a-z0-9_'])(?=[zonftsedh\d]){_NUMBER_WORD}")

# A match that is longer than this is neither a phone nor a card.
_LONG = 400

# Unix seconds, milliseconds and microseconds from 2001 to 2033; no phone number in use begins like this at this length.
_INSTANTS = tuple(range(10**size, 2 * 10**size) for size in (9, 12, 15))
_MEASURE = re.compile(r"(?:ms|millis|secs?|seconds|duration|latency|bytes|size|tokens|count)$", re.IGNORECASE)

_Find = tuple[int, int, str]
_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)


class PersonalData:
    """Removes e-mail addresses, phone, card and other long numbers from a conversation: a `redact=` for `sync`.

    Each is replaced by `[email]`, `[phone]`, `[card]` (13 to 19 digits that pass Luhn) or `[number]` (6 digits or
    more); the kind of a number is a guess. `keep` names kinds to leave in.

    It checks every text: what was said, timed words, tool names, arguments and results, title, summary, end reason,
    tags, links, related ids, issues, names, and, at any depth and including keys, metadata and collected values. All
    phones of participants are replaced. If a match covers several timed words, each word is replaced and keeps its
    time. Arguments and results that are JSON stay JSON. `raw` becomes None, because it repeats everything. Recordings,
    language codes, and the ids of conversation, agent, turns and tool calls, by which these are found, stay as they
    are; in participants' ids, addresses and numbers are replaced.

    A JSON number stays if it has fewer than 6 digits, has a fraction, looks like a Unix instant between 2001 and 2033,
    or is under a key that ends like a measure (`duration_ms`, `total_tokens`).

    Raises:
        ConfigurationError: `keep` names an unknown kind.
    """

    def __init__(self, keep: Collection[str] = ()) -> None:
        unknown = sorted(set(keep) - set(_KINDS))
        if unknown:
            raise ConfigurationError(f"unknown kind to keep: {', '.join(unknown)}; choose from {', '.join(_KINDS)}")
        self._keep = frozenset(keep)
        self.version: str = "1" if not keep else f"1 that keeps {', '.join(sorted(keep))}"
        """Identifies what it removes: a store takes conversations from one version only."""
        self._special: dict[tuple[type, str], Callable[[Any], Any]] = {
            (Conversation, "transcript"): self._transcript,
            (Conversation, "raw"): self._raw,
            (TranscriptTurn, "words"): self._words,
            (ToolCall, "arguments"): self._json_text,
            (ToolResult, "content"): self._json_text,
            (Participant, "phone"): self._phone,
        }
        self.counts: Counter[str] = Counter()
        """Replacements in all conversations, by kind; timed words repeat the text and are not counted again."""

    def __call__(self, conversation: Conversation) -> Conversation:
        """Return the conversation without personal data; the same object if there was none."""
        return self._struct(conversation)

    def _struct(self, value: _S) -> _S:
        changed: dict[str, Any] = {}
        for name in _fields_to_redact(type(value)):
            held = getattr(value, name)
            if held is not None:
                redact = self._special.get((type(value), name), self._any)
                redacted = redact(held)
                if redacted is not held:
                    changed[name] = redacted
        return msgspec.structs.replace(value, **changed) if changed else value

    def _any(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if isinstance(value, Enum) else self._text(value)
        if isinstance(value, msgspec.Struct):
            return self._struct(value)
        if isinstance(value, tuple):
            return _each(cast("tuple[object, ...]", value), self._any)
        return self._json(value) if isinstance(value, dict | list) else value

    def _transcript(self, turns: tuple[TranscriptTurn, ...]) -> tuple[TranscriptTurn, ...]:
        # Most conversations hold none, and one search through all turns costs less than one for each.
        is_suspect = len(turns) == 1 or _is_suspect("\n".join([turn.text for turn in turns]))
        if not is_suspect and not any(turn.words or turn.tool_calls or turn.tool_result for turn in turns):
            return turns
        return _each(turns, self._struct)

    def _words(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        texts = [word.text.strip() for word in words]
        finds = self._finds(" ".join(texts))
        if not finds:
            return words
        redacted = list(words)
        ends = list(accumulate(len(text) + 1 for text in texts))
        place = 0
        for start, end, kind in finds:
            while ends[place] <= start:
                place += 1
            while place < len(words) and ends[place] - len(texts[place]) - 1 < end:
                redacted[place] = msgspec.structs.replace(words[place], text=f"[{kind}]")
                place += 1
            place -= 1  # the next match may begin in the same word
        return tuple(redacted)

    def _phone(self, phone: str) -> str:
        if phone == "[phone]" or "phone" in self._keep:
            return phone
        self.counts["phone"] += 1
        return "[phone]"

    def _raw(self, _raw: bytes) -> None:
        """Return None, because `raw` may hold anything."""

    def _json_text(self, text: str) -> str:
        if text.lstrip()[:1] in ("{", "["):
            try:
                value = msgspec.json.decode(text)
                redacted = self._json(value)
                return text if redacted is value else msgspec.json.encode(redacted).decode()
            except (msgspec.MsgspecError, RecursionError, OverflowError, UnicodeError):
                pass  # models write it, so it may be anything
        return self._text(text)

    def _json(self, value: Any) -> Any:
        """Return the value itself, or a redacted copy; without recursion, because it may be nested deeply."""
        whole: list[Any] = [value]
        left: list[dict[Any, Any] | list[Any]] = [whole]
        is_changed = False
        while left:
            holder = left.pop()
            numbers: Counter[str] = Counter()
            for key, inner in list(holder.items()) if isinstance(holder, dict) else enumerate(holder):
                copied: Any
                if isinstance(inner, dict):
                    copied = cast("Any", inner).copy()
                    left.append(copied)
                elif isinstance(inner, list | tuple):
                    copied = list(cast("Sequence[Any]", inner))
                    left.append(copied)
                else:
                    copied = self._text(inner) if isinstance(inner, str) else self._number(inner, key)
                    is_changed = is_changed or copied is not inner
                name: Any = self._text(key) if isinstance(key, str) else key
                if name is not key and isinstance(holder, dict):
                    del holder[key]
                    name = _unused_name(name, holder, numbers)
                    is_changed = True
                holder[name] = copied
        return whole[0] if is_changed else value

    def _number(self, value: Any, key: str | int) -> Any:
        if isinstance(value, float) and value.is_integer():
            whole = int(value)
        elif isinstance(value, int):
            whole = value
        else:
            return value
        size = abs(whole)
        if size < 100_000 or any(size in span for span in _INSTANTS):
            return value
        if isinstance(key, str) and _MEASURE.search(key):
            return value
        kind = "number" if size >= 10**19 else _kind([str(size)])
        if kind is None or kind in self._keep:
            return value
        self.counts[kind] += 1
        return f"[{kind}]"

    def _text(self, text: str) -> str:
        finds = self._finds(text)
        if not finds:
            return text
        pieces: list[str] = []
        done = 0
        for start, end, kind in finds:
            pieces += text[done:start], f"[{kind}]"
            done = end
        self.counts.update(kind for _, _, kind in finds)
        return "".join(pieces) + text[done:]

    def _finds(self, text: str) -> list[_Find]:
        """Return the start, end and kind of each match, in order."""
        plain, places = _unescape(text)
        plain = _simplify(plain)
        finds: list[_Find] = []
        # Again, because the text next to a match may be one without it, to the same look or to an earlier one.
        for _ in range(_MOST_ROUNDS):
            known = len(finds)
            for look, last_resort in _LOOKS:
                for again in (*repeat(look, _MOST_ROUNDS), last_resort):
                    found = list(again(plain))
                    if not found:
                        break
                    plain = _mask(plain, found)
                    finds += found
            if len(finds) == known:
                break
        if places:
            finds = [(places[start], places[end], kind) for start, end, kind in finds]
        return sorted(find for find in finds if find[2] not in self._keep)


# Fields that stay as they are: ids by which things are found, and terms of fixed lists.
_LEFT: dict[type, frozenset[str]] = {
    Conversation: frozenset({"provider", "id", "account", "language", "recordings", "estimated"}),
    Agent: frozenset({"id", "version"}),
    Analysis: frozenset({"scores"}),
    TranscriptTurn: frozenset({"language", "metrics", "provider_id"}),
    ToolCall: frozenset({"id"}),
    ToolResult: frozenset({"call_id"}),
}


@cache
def _fields_to_redact(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name not in _LEFT.get(kind, ()))


def _unused_name(name: str, names: Collection[str], numbers: Counter[str]) -> str:
    """Return the name, or the name with the next number that is free; `numbers` holds the last number tried."""
    one = name
    while one in names:
        numbers[name] += 1
        one = f"{name} {numbers[name] + 1}"
    return one


def _simplify(text: str) -> str:
    """Return text of the same length in lower case, with one kind of space and without full-width characters."""
    if text.isascii() and text.isprintable():
        return text.lower()
    # The only letter that is longer in lower case; it would shift everything after it.
    return text.replace("İ", "i").translate(_SIMPLE).lower()


def _unescape(text: str) -> tuple[str, list[int]]:
    """Return text without the escapes of URLs, and the original position of each character if there were any."""
    if "%" not in text or _ESCAPE.search(text) is None:
        return text, []
    pieces: list[str] = []
    places: list[int] = []
    done = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        pieces += text[done:start], chr(int(match[1], 16))
        places += range(done, start + 1)
        done = end
    pieces.append(text[done:])
    places += range(done, len(text) + 1)
    return "".join(pieces), places


def _each(values: tuple[_T, ...], redact: Callable[[_T], _T]) -> tuple[_T, ...]:
    redacted = tuple([redact(value) for value in values])
    return values if all(map(is_, redacted, values)) else redacted


def _is_suspect(text: str) -> bool:
    lowered = _simplify(text)
    return (
        "@" in lowered
        or (" at " in lowered and ("dot " in lowered or "." in lowered))
        # The first search costs a third of the second, and settles most texts.
        or (_ANY_DIGIT.search(lowered) is not None and _LOOSE_DIGIT.search(lowered) is not None)
        or _NUMBER_WORDS.search(lowered) is not None
        or _ESCAPE.search(lowered) is not None
    )


def _mask(text: str, finds: Sequence[_Find]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, _ in finds:
        # To the patterns, this looks like the word in brackets that will replace it.
        pieces += text[done:start], "]" * (end - start)
        done = end
    return "".join(pieces) + text[done:]


def _emails(text: str) -> Iterator[_Find]:
    match = _EMAIL.search(text) if "@" in text else None
    while match:
        yield *match.span(1), "email"
        match = _NEXT_EMAIL.match(text, match.end()) or _EMAIL.search(text, match.end())


def _spoken_emails(text: str) -> Iterator[_Find]:
    if (" at " in text and "." in text) or "dot " in text:
        for match in _SPOKEN_EMAIL.finditer(text):
            yield *match.span(), "email"


def _digits(text: str) -> Iterator[_Find]:
    if _ANY_DIGIT.search(text):
        for match in _DIGITS.finditer(text):
            if match["kept"] is None:
                kind = _classify(text, *match.span())
                if kind:
                    yield *match.span(), kind


def _classify(text: str, start: int, end: int) -> str | None:
    if end - start > _LONG:
        return "number"
    found = text[start:end]
    groups = _GROUPS.findall(found)
    is_short = sum(map(len, groups)) < 10
    if is_short and (_CURRENCY_BEFORE.search(text, max(0, start - 2), start) or _UNIT_BEHIND.match(text, end)):
        return None
    if len(groups) == 1 and found[0].isdigit() and text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit():
        return None  # a decimal
    if all(map(_YEAR.fullmatch, groups)) or _THOUSANDS.fullmatch(found):
        return _kind(groups) if _is_card(groups) else None
    return _kind(groups, is_phone=found[0] in "+(")


def _spoken_digits(text: str) -> Iterator[_Find]:
    for match in _NUMBER_WORDS.finditer(text):
        start, end = match.span()
        words = _SPOKEN_OR_DIGITS.findall(text, start, min(end, start + _LONG))
        has_plus = text.endswith("plus ", 0, start)
        digits = _digits_of(words)
        # Digits among the words may be an amount or a room: "in 1204 one or two".
        numerals = sum(word.isdigit() for word in words)
        if numerals < len(words) and len(digits) >= 6 + (numerals > 0):
            kind = _kind([digits], is_phone=has_plus or len(digits) == 7) if end - start <= _LONG else "number"
            yield start - 5 * has_plus, end, kind or "number"


def _digits_of(words: Sequence[str]) -> str:
    """Return the digits of words that are read out: "double five" is 55, "eight hundred" 800, "forty two" 42."""
    digits: list[str] = []
    times, last = 1, ""
    for word in words:
        if word in _TIMES:
            times = _TIMES[word]
            continue
        if word == "hundred":
            digits.append("00" if digits else "100")
        elif last in _TENS and word in _UNITS and times == 1:
            digits[-1] = _TENS[last] + _UNITS[word]
        else:
            digits.append(_SPOKEN.get(word, word if word.isdigit() else "") * times)
        times, last = 1, word
    return "".join(digits)


def _every(pattern: re.Pattern[str], kind: str) -> Callable[[str], Iterator[_Find]]:
    return lambda text: ((*match.span(), kind) for match in pattern.finditer(text))


_LOOKS: Sequence[tuple[Callable[[str], Iterator[_Find]], Callable[[str], Iterator[_Find]]]] = (
    (_emails, _every(_AT_ANYTHING, "email")),
    (_spoken_emails, _every(_AT_ANYTHING, "email")),
    (_digits, _every(_ANY_DIGITS, "number")),
    (_spoken_digits, _every(_ANY_NUMBER_WORD, "number")),
)
"""Each search, and the one that replaces it when its rounds are used up."""


def _kind(groups: Sequence[str], *, is_phone: bool = False) -> str | None:
    digits = "".join(groups)
    if len(digits) < 6:
        return None
    if _is_card(groups):
        return "card"
    if 7 <= len(digits) <= 15 and (is_phone or len(groups) > 1 or len(digits) in {10, 11} or digits.startswith("00")):
        return "phone"
    return "number"


def _is_card(groups: Sequence[str]) -> bool:
    # Digits that are read out after a card number, such as its month and year, must not hide it.
    return any(13 <= len(digits) <= 19 and _passes_luhn(digits) for digits in accumulate(groups))


def _passes_luhn(digits: str) -> bool:
    backwards = [int(digit) for digit in reversed(digits)]
    return (sum(backwards[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in backwards[1::2])) % 10 == 0
