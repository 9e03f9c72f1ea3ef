"""Words of a side, where white space parts them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["words_in"]

_MOST_UNSPACED: Final = 0.3  # of the letters: names and loan words in other scripts are common
_LETTERS: Final = re.compile(r"[^\W\d_]+")
# Thai, Lao, Burmese, Khmer, kana and Han: https://www.unicode.org/charts/
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff"
    "\u31f0-\u31ff\uff66-\uff9f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)


def words_in(texts: Sequence[str]) -> int | None:
    """Return the number of words; None if too many letters are of scripts that do not part words by white space."""
    if all(text.isascii() or _UNSPACED.search(text) is None for text in texts):
        return sum(len(text.split()) for text in texts)
    letters = "".join(run for text in texts for run in _LETTERS.findall(text))
    unspaced = sum(map(len, _UNSPACED.findall(letters)))
    return None if unspaced > _MOST_UNSPACED * len(letters) else sum(len(text.split()) for text in texts)
