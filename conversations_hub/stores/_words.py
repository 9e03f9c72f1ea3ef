"""Split a text into words, as they are compared, indexed and searched.

What people take for one word is one word: it does not depend on case, full-width forms, marks on Latin and Greek
letters, Hebrew points, Arabic vowel signs or the form of alef. Marks that make another word do count: the vowel signs
of India, the tones of Thai, й as opposed to и. In scripts without spaces between words (Chinese, Japanese, Thai,
Khmer …), and in Korean, whose words take endings, each character counts as a word, and a word is a sequence of them.
Text that joins two kinds of script is split into two words, and each emoji is a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final
from unicodedata import category, decimal, name, normalize

__all__ = ["Token", "index_entries", "is_character", "paired", "tokens"]

Token = tuple[str, int, int]
"""A word as it is compared, and its start and end in the text."""

# The class of a character, as one letter, so that one pattern splits text in any script.
_LATIN, _ARABIC, _OTHER, _DENSE, _VARIANT, _JAMO, _SIGN, _MARK, _NONJOINER, _BETWEEN = "laodvjsmz "
_TOKEN: Final = re.compile(
    "(d+)(?![mz])"  # each of these characters is a word as it is
    "|[dv][mz]*"
    "|j[jmz]*"
    "|s[mz]*"
    "|l[lmz]*"
    # Persian puts endings after a non-joiner: the word before it must match.
    "|[aom](?:[aom]|z(?!a))*"
)
_CHARACTERS: Final = _DENSE + _VARIANT + _JAMO
_ASCII_WORD: Final = re.compile("[0-9A-Za-z]+")  # the same for most texts, in a third of the time
_NO_BLANKS: Final = frozenset(
    [
        *("CJK", "IDEOGRAPHIC", "HANGZHOU", "HIRAGANA", "HENTAIGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO"),
        *("HANGUL", "YI", "TANGUT", "NUSHU", "THAI", "LAO", "KHMER", "MYANMAR", "TAI", "NEW", "JAVANESE", "BALINESE"),
    ]
)
_OPTIONAL_MARKS: Final = ("COMBINING", "HEBREW", "ARABIC", "SYRIAC", "VARIATION", "MONGOLIAN FREE")
_TATWEEL: Final = "\u0640"  # stretches a word
# Letters that people replace if their keyboard lacks them, or that are spelled differently elsewhere.
_TAKEN_FOR: Final = (
    dict(zip("ıłøđðħŧ", "iloddht", strict=True))
    | {"æ": "ae", "œ": "oe", "þ": "th"}
    | dict(zip("ёѐѝ", "ееи", strict=True))
    | dict(zip("أإآٱىیکہۀ", "اااايي" + "كهه", strict=True))
)


class _Table(dict[int, str]):
    """The result of a function for each character, computed once."""

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, code: int) -> str:
        self[code] = made = self._make(chr(code))
        return made


def _class(character: str) -> str:
    found = _kind(character)
    return _VARIANT if found == _DENSE and _fold_text(character) != character else found


def _kind(character: str) -> str:
    kind = category(character)
    if character == "\u200c":
        return _NONJOINER
    if kind[0] == "M" or _is_skin_tone(character):
        return _MARK
    if kind == "Cf":
        return _BETWEEN if character == "\u200b" else _MARK
    if kind == "Co":
        return _SIGN
    if kind == "Cn":  # a letter of a script newer than this Python, as SQLite takes it too
        return _OTHER
    if kind == "So" and character < "\u2300":  # ™ and ℃ are not part of a word
        return _BETWEEN
    first = normalize("NFKC", character)[0]
    if first != character:
        return _kind(first)
    if kind == "So":
        return _SIGN
    # Some letters in this range are apostrophes and tones.
    return _BETWEEN if kind[0] not in "LN" or "\u02b0" <= character <= "\u02ff" else _script(character)


def _script(character: str) -> str:
    called = name(character, "")
    script = called.partition(" ")[0]
    if script == "LATIN" or decimal(character, None) is not None:
        return _LATIN
    if script in _NO_BLANKS:
        # JAMO: the parts of a Korean syllable, which NFKC joins.
        return _JAMO if called.startswith(("HANGUL CHOSEONG", "HANGUL JUNGSEONG", "HANGUL JONGSEONG")) else _DENSE
    if script == "ARABIC":
        return _ARABIC
    return _LATIN if category(character)[0] == "N" else _OTHER


def _fold(character: str) -> str:
    kind, called = category(character), name(character, "")
    if (
        kind in ("Cf", "Me")
        or character == _TATWEEL
        or (kind == "Mn" and called.startswith(_OPTIONAL_MARKS))
        or _is_skin_tone(character)
    ):
        return ""
    if kind == "So":
        # SQLite does not index signs, but it does index private-use characters, and these are unused.
        return chr(0xF0000 | ord(character) & 0xFFFF)
    digit = decimal(character, None)
    if digit is not None:
        return str(digit)
    bare = normalize("NFD", character)[0] if called.startswith(("LATIN", "GREEK")) else character
    bare = _TAKEN_FOR.get(bare) or bare.casefold()
    return bare if bare == character else bare.translate(_FOLDS)


def _is_skin_tone(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


_CLASSES: Final = _Table(_class)
_FOLDS: Final = _Table(_fold)


def _fold_text(text: str) -> str:
    folded = normalize("NFKC", text).translate(_FOLDS)
    return folded if folded == text else _fold_text(folded)


def _split(text: str) -> tuple[str, ...]:
    folded = _fold_text(text)
    # Some characters stand for several words.
    return (folded,) if folded == text else tuple(word for word, _, _ in tokens(folded))


_split_cached: Final = lru_cache(2**14)(_split)
_LONG: Final = 40  # characters; words this long are not worth caching


def tokens(text: str) -> Iterator[Token]:
    """Yield the words of a text in order, in time linear in its length."""
    if text.isascii():
        for match in _ASCII_WORD.finditer(text):
            yield match.group().lower(), *match.span()
        return
    for words, start, end in _pieces(text):
        if isinstance(words, str):
            yield from zip(words, range(start, end), range(start + 1, end + 1), strict=True)
        else:
            for word in words:
                yield word, start, end


def _pieces(text: str) -> Iterator[tuple[str | tuple[str, ...], int, int]]:
    """Yield the words of a text that are joined in it, with their start and end; a string is a word per character."""
    for match in _TOKEN.finditer(text.translate(_CLASSES)):
        start, end = match.span()
        piece = text[start:end]
        yield piece if match.lastindex else (_split_cached if len(piece) < _LONG else _split)(piece), start, end


def index_entries(text: str) -> list[str]:
    """Return what an index of words has of a text, in its order: see `paired`."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return paired(words for words, _, _ in _pieces(text))


def is_character(word: str) -> bool:
    """Whether a word is one character of a script without spaces between words."""
    return _CLASSES[ord(word[0])] in _CHARACTERS


def paired(pieces: Iterable[str | Sequence[str]]) -> list[str]:
    """Return the index entries for words; a character is paired with the one after it.

    In each piece, the words follow each other; a string is a word per character.
    There are few different characters, so that searching for a sequence of single ones takes six times as long.
    """
    entries: list[str] = []
    is_open = False  # whether the last entry is a character without another after it
    for words in pieces:
        if isinstance(words, str):
            if is_open:
                entries[-1] += words[0]
            entries += map("x".join, zip(words, [*words[1:], ""], strict=True))
            is_open = True
            continue
        for word in words:
            is_one = _CLASSES[ord(word[0])] in _CHARACTERS
            if is_open and is_one:
                entries[-1] += word
            entries.append(f"{word}x" if is_one else word)
            is_open = is_one
    return entries
