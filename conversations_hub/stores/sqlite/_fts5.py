"""SQLite's full-text search, FTS5: what is indexed of a text, and queries as its expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from unicodedata import is_normalized

from .._query import Query, Term
from .._words import index_entries

__all__ = ["TOKENIZER", "expression", "indexed"]

TOKENIZER: Final = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
"""SQLite's tokenizer, for what `indexed` returns and for unchanged texts: marks are parts of words."""

# SQLite's tokenizer finds the same words as we do in these characters, unless letters of two kinds touch.
_LATIN_ALIKE: Final = "0-9A-Za-zÀ-ÅÇ-ÏÑ-ÖÙ-Ýà-åç-ïñ-öù-ýÿĀ-ďĒ-ĥĨ-İĴ-ľŃ-ňŊ-őŔ-ťŨ-žƠơƯưẠ-ỹ"
_INDIAN_ALIKE: Final = "".join(  # each block except its digits
    f"{chr(block)}-{chr(block + 0x65)}{chr(block + 0x70)}-{chr(block + 0x7F)}" for block in range(0x900, 0xE00, 0x80)
)
_OTHER_ALIKE: Final = f"Α-ΡΣ-Ωα-ωЂ-ЌЎ-яђ-ќўџҐґ־א-ת׳״،؛؟ءؤئ-غف-ويپچژگ{_INDIAN_ALIKE}"  # noqa: RUF001
_SIGNS_ALIKE: Final = r"\0-\xa9«®-±\xb4¶-\xb8»¿\xd7÷\u2010-\u2029\u202f-\u205e₠-₧₩-₹\u2190-\u22ff"
_UNLIKE: Final = re.compile(
    rf"[^{_SIGNS_ALIKE}{_LATIN_ALIKE}{_OTHER_ALIKE}]|[\u09fd\u0a76\u0c77\u0c84\u0d4f]"
    rf"|[{_LATIN_ALIKE}][{_OTHER_ALIKE}]|[{_OTHER_ALIKE}][{_LATIN_ALIKE}]"
)


def indexed(text: str) -> str | None:
    """Return the text to index in place of a text; None if SQLite's tokenizer finds the same words in the original."""
    if text.isascii() or (_UNLIKE.search(text) is None and is_normalized("NFC", text)):
        return None
    return " ".join(index_entries(text))


def expression(query: Query) -> str:
    """Return a query as an expression over the indexed text."""
    wanted = " AND ".join(f"({_any(terms)})" for terms in query.wanted)
    return f"({wanted}) NOT ({_any(query.unwanted)})" if query.unwanted else wanted


def _any(terms: Sequence[Term]) -> str:
    return " OR ".join(map(_of_term, terms))


def _of_term(term: Term) -> str:
    entries, is_prefix = term.index_entries
    return f'"{" ".join(entries)}"{"*" * is_prefix}'
