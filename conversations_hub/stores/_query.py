"""Search queries, as people type them into a search box, and where they match in a text.

All words must match. `OR` between two words makes one of them enough, `NOT` or a dash before a word leaves out texts
that contain it, `"quoted words"` must follow each other, and a star after a word matches all words that start with it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from ..errors import InvalidRefError
from ._words import is_character, paired, tokens

__all__ = ["Query", "Term", "parsed", "snippet"]

_MOST_WORDS: Final = 200
_FEW: Final = 10
# A quote opens a phrase only at the start of a word; inside a word it is an ordinary character, as in Hebrew.
_PART: Final = re.compile(r'(-?)(?:"([^"]*)"?(\*?)|(\S+?)(\*?)(?=\s|$))')
_QUOTES: Final = str.maketrans(dict.fromkeys("“”„«»", '"'))

_SHOWN: Final = 140  # characters of a snippet
_BEFORE: Final = 40  # of these before the match
_LOOKED_AT: Final = 100_000  # characters of a turn searched for a snippet, which bounds its time
_MOST_FINDS: Final = 1000  # per word of a query, in a turn


class _Said:
    """The words of a text, with an index of their positions: many words are looked up in one text."""

    def __init__(self, text: str) -> None:
        self.words = list(tokens(text))
        self.places: defaultdict[str, list[int]] = defaultdict(list)
        for at, (word, _, _) in enumerate(self.words):
            self.places[word].append(at)

    def beginning(self, word: str) -> list[int]:
        """Return the positions of the words that start with a prefix."""
        return sorted(at for other, places in self.places.items() if other.startswith(word) for at in places)


class Term(msgspec.Struct, frozen=True):
    """A word, or several that follow each other."""

    said: str
    """As typed."""
    words: tuple[str, ...]
    """As compared."""
    is_prefix: bool = False
    """Whether the last word may continue."""

    @property
    def index_entries(self) -> tuple[list[str], bool]:
        """What an index of words has of it, see `_words.paired`, and whether the last entry may continue."""
        entries, is_prefix = paired([self.words]), self.is_prefix
        if is_character(self.words[-1]):  # in the index it may be paired with any other
            is_prefix = len(entries) == 1 or not is_character(self.words[-2])
            entries = entries if is_prefix else entries[:-1]
        return entries, is_prefix

    def found(self, said: _Said) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each match in the text."""
        *before, last = self.words
        for at in said.beginning(last) if self.is_prefix else said.places.get(last, ()):
            first = at - len(before)
            if first >= 0 and all(said.words[first + place][0] == other for place, other in enumerate(before)):
                yield said.words[first][1], said.words[at][2]


class Query(msgspec.Struct, frozen=True):
    """A parsed search query; false if it has no words to find."""

    wanted: tuple[tuple[Term, ...], ...]
    """Of each group, at least one term must match."""
    unwanted: tuple[Term, ...] = ()
    """None of these terms may match."""

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def holds(self, text: str) -> bool:
        """Whether a text matches the query."""
        if text.isascii() and not self._may_be_in(text.lower()):  # which is most texts, in a tenth of the time
            return False
        said = _Said(text)
        return all(_matches(terms, said) for terms in self.wanted) and not _matches(self.unwanted, said)

    def _may_be_in(self, text: str) -> bool:
        """Whether a text in lower case has the letters of the words, wherever they are."""
        return all(any(all(word in text for word in term.words) for term in terms) for terms in self.wanted)

    def density(self, text: str) -> float:
        """Return how much of a text are words of the query; a few words more do not matter."""
        said = _Said(text)
        found = sum(1 for terms in self.wanted for term in terms for _ in term.found(said))
        return found / (len(said.words) + _FEW)


def _matches(terms: Sequence[Term], said: _Said) -> bool:
    return any(True for term in terms for _ in term.found(said))


def parsed(asked: str) -> Query:
    """Parse a search query; the result is false if there is no word to find.

    Raises:
        InvalidRefError: too many words for one search.
    """
    wanted: list[list[Term]] = []
    unwanted: list[Term] = []
    is_other = is_unwanted = False
    for dash, phrase, phrase_star, word, word_star in _PART.findall(asked.translate(_QUOTES)):
        if word in ("AND", "OR", "NOT") and not dash and not word_star:
            is_other, is_unwanted = (word == "OR" and bool(wanted)), word == "NOT"
            continue
        words = tuple(token for token, _, _ in tokens(phrase or word))
        if not words:
            continue
        star = (phrase_star or word_star) and not is_character(words[-1])
        term = Term(f"{phrase or word}{'*' if star else ''}", words, bool(star))
        if dash or is_unwanted:
            unwanted.append(term)
        elif is_other:
            wanted[-1].append(term)
        else:
            wanted.append([term])
        is_other = is_unwanted = False
    if sum(len(term.words) for terms in [*wanted, unwanted] for term in terms) > _MOST_WORDS:
        raise InvalidRefError(f"too many words: a search takes at most {_MOST_WORDS}")
    return Query(tuple(dict.fromkeys(map(tuple, wanted))), tuple(dict.fromkeys(unwanted)))


def snippet(text: str, query: Query, marks: tuple[str, str] = ("[", "]")) -> str:
    """Return the text around the matches, which are between marks; of a long text, the part with the most of them."""
    said = _Said(text[:_LOOKED_AT])
    terms = dict.fromkeys(term for terms in query.wanted for term in terms)
    finds = sorted(
        (*find, number) for number, term in enumerate(terms) for find in islice(term.found(said), _MOST_FINDS)
    )
    low = max(0, _best(finds) - _BEFORE)
    if low > 0:
        low = next((start for _, start, _ in said.words if start >= low), low)
    high = min(len(text), low + _SHOWN)
    if high < len(text):
        high = max((end for _, _, end in said.words if low < end <= high), default=high)
    pieces = ["…" if low else ""]
    done = low
    for start, end, _ in finds:
        if done <= start < high:
            shown = min(end, high)
            pieces += text[done:start], marks[0], text[start:shown], marks[1]
            done = shown
    return "".join([*pieces, text[done:high], "…" if high < len(text) else ""])


def _best(finds: Sequence[tuple[int, int, int]]) -> int:
    """Return the start of the part that shows the most terms of the query."""
    best = most = ahead = 0
    near: Counter[int] = Counter()
    for start, _, number in finds:
        while ahead < len(finds) and finds[ahead][0] < start + _SHOWN - _BEFORE:
            near[finds[ahead][2]] += 1
            ahead += 1
        if len(near) > most:
            best, most = start, len(near)
        near[number] -= 1
        if not near[number]:
            del near[number]
    return best
