"""The words of a text, as they are compared, indexed and looked for.

What people take for one word is one: case does not count, nor full-width forms, nor the marks on Latin and Greek
letters, nor Hebrew points, Arabic vowel signs and the forms of alef. Marks that make another word of it do: the vowel
signs of India, the tones of Thai, й beside и. Where no blanks stand between words (Chinese, Japanese, Thai, Khmer …),
and in Korean, whose words take endings, each character counts as a word and a word is a row of them. What is glued of
two kinds of script is two words, and each emoji is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final
from unicodedata import category, decimal, is_normalized, name, normalize

__all__ = ["TOKENIZER", "Token", "indexed", "is_character", "paired", "tokens"]

TOKENIZER: Final = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
"""SQLite's, for what `indexed` returns and for texts as they stand: marks are parts of words."""

Token = tuple[str, int, int]
"""A word as it is compared, and from where to where it stands in the text."""

# How a character stands among others: a letter for each way, so that one pattern cuts a text of any scripts.
_LATIN, _ARABIC, _OTHER, _DENSE, _JAMO, _SIGN, _MARK, _NONJOINER, _BETWEEN = "laodjsmz "
_TOKEN: Final = re.compile(
    "d[mz]*"
    "|j[jmz]*"
    "|s[mz]*"
    "|l[lmz]*"
    # Persian sets endings behind a non-joiner: the word before it must be found.
    "|[aom](?:[aom]|z(?!a))*"
)
_ASCII_WORD: Final = re.compile("[0-9A-Za-z]+")  # the same of most texts, in a third of the time
_NO_BLANKS: Final = frozenset(
    [
        *("CJK", "IDEOGRAPHIC", "HANGZHOU", "HIRAGANA", "HENTAIGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO"),
        *("HANGUL", "YI", "TANGUT", "NUSHU", "THAI", "LAO", "KHMER", "MYANMAR", "TAI", "NEW", "JAVANESE", "BALINESE"),
    ]
)
_OPTIONAL_MARKS: Final = ("COMBINING", "HEBREW", "ARABIC", "SYRIAC", "VARIATION", "MONGOLIAN FREE")
_TATWEEL: Final = "\u0640"  # draws a word out
# Letters that people take for another where they have no such key, or that are written so elsewhere.
_TAKEN_FOR: Final = (
    dict(zip("ıłøđðħŧ", "iloddht", strict=True))
    | {"æ": "ae", "œ": "oe", "þ": "th"}
    | dict(zip("ёѐѝ", "ееи", strict=True))
    | dict(zip("أإآٱىیکہۀ", "اااايي" + "كهه", strict=True))
)


class _Table(dict[int, str]):
    """What a function makes of each character, asked once for each."""

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, code: int) -> str:
        self[code] = made = self._make(chr(code))
        return made


def _class(character: str) -> str:
    kind = category(character)
    if character == "\u200c":
        return _NONJOINER
    if kind[0] == "M" or _is_colour_of_skin(character):
        return _MARK
    if kind == "Cf":
        return _BETWEEN if character == "\u200b" else _MARK
    if kind == "Co":
        return _SIGN
    if kind == "Cn":  # a letter of a script that is younger than this Python, as SQLite takes it too
        return _OTHER
    if kind == "So" and character < "\u2300":  # ™ and ℃ belong to no word
        return _BETWEEN
    first = normalize("NFKC", character)[0]
    if first != character:
        return _class(first)
    if kind == "So":
        return _SIGN
    # Some letters in between are apostrophes and tones.
    return _BETWEEN if kind[0] not in "LN" or "\u02b0" <= character <= "\u02ff" else _script(character)


def _script(character: str) -> str:
    called = name(character, "")
    script = called.partition(" ")[0]
    if script == "LATIN" or decimal(character, None) is not None:
        return _LATIN
    if script in _NO_BLANKS:
        # Of the parts of a Korean syllable, which NFKC puts together.
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
        or _is_colour_of_skin(character)
    ):
        return ""
    if kind == "So":
        # To SQLite signs are no words; characters for private use are, and nobody uses those up there.
        return chr(0xF0000 | ord(character) & 0xFFFF)
    digit = decimal(character, None)
    if digit is not None:
        return str(digit)
    bare = normalize("NFD", character)[0] if called.startswith(("LATIN", "GREEK")) else character
    bare = _TAKEN_FOR.get(bare) or bare.casefold()
    return bare if bare == character else bare.translate(_FOLDS)


def _is_colour_of_skin(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


_CLASSES: Final = _Table(_class)
_FOLDS: Final = _Table(_fold)


def _folded(text: str) -> str:
    folded = normalize("NFKC", text).translate(_FOLDS)
    return folded if folded == text else _folded(folded)


def _split(text: str) -> tuple[str, ...]:
    folded = _folded(text)
    # Some characters stand for several words.
    return (folded,) if folded == text else tuple(word for word, _, _ in tokens(folded))


_split_often: Final = lru_cache(2**14)(_split)
_LONG: Final = 40  # characters; such words are not worth remembering


def tokens(text: str) -> Iterator[Token]:
    """Yield the words of a text as they follow each other, in time that grows as the text does."""
    if text.isascii():
        for match in _ASCII_WORD.finditer(text):
            yield match.group().lower(), *match.span()
        return
    for match in _TOKEN.finditer(text.translate(_CLASSES)):
        start, end = match.span()
        for word in (_split_often if end - start < _LONG else _split)(text[start:end]):
            yield word, start, end


def is_character(word: str) -> bool:
    """Whether a word is one character of a script that sets no blanks between words."""
    return _CLASSES[ord(word[0])] in "dj"


def paired(words: Sequence[str]) -> list[str]:
    """Return what stands in the index for words: with a character, the one behind it.

    For characters are few, and to find those that follow each other among all of them takes six times as long.
    """
    behind = [*(word if is_character(word) else "" for word in words[1:]), ""]
    return [f"{word}x{after}" if is_character(word) else word for word, after in zip(words, behind, strict=False)]


# What SQLite's tokenizer makes of these is what is made of them here, but where letters of two kinds touch.
_LATIN_ALIKE: Final = "0-9A-Za-zÀ-ÅÇ-ÏÑ-ÖÙ-Ýà-åç-ïñ-öù-ýÿĀ-ďĒ-ĥĨ-İĴ-ľŃ-ňŊ-őŔ-ťŨ-žƠơƯưẠ-ỹ"
_INDIAN_ALIKE: Final = "".join(  # each block but its digits
    f"{chr(block)}-{chr(block + 0x65)}{chr(block + 0x70)}-{chr(block + 0x7F)}" for block in range(0x900, 0xE00, 0x80)
)
_OTHER_ALIKE: Final = f"Α-ΡΣ-Ωα-ωЂ-ЌЎ-яђ-ќўџҐґ־א-ת׳״،؛؟ءؤئ-غف-ويپچژگ{_INDIAN_ALIKE}"  # noqa: RUF001
_SIGNS_ALIKE: Final = r"\0-\xa9«®-±\xb4¶-\xb8»¿\xd7÷\u2010-\u2029\u202f-\u205e₠-₧₩-₹\u2190-\u22ff"
_UNLIKE: Final = re.compile(
    rf"[^{_SIGNS_ALIKE}{_LATIN_ALIKE}{_OTHER_ALIKE}]|[\u09fd\u0a76\u0c77\u0c84\u0d4f]"
    rf"|[{_LATIN_ALIKE}][{_OTHER_ALIKE}]|[{_OTHER_ALIKE}][{_LATIN_ALIKE}]"
)


def indexed(text: str) -> str | None:
    """Return what is to be indexed for a text; None where SQLite's tokenizer finds the same words in it by itself."""
    if text.isascii() or (_UNLIKE.search(text) is None and is_normalized("NFC", text)):
        return None
    return " ".join(paired([word for word, _, _ in tokens(text)]))
