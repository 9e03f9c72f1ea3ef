"""How often to poll for what is not ready yet."""

from __future__ import annotations

from typing import Final

__all__ = ["pause"]

_FIRST: Final = 1.0
_LONGEST: Final = 15.0
_SPREAD: Final = 0.4  # so that clients that start together do not poll together


def pause(asked: int, roll: float) -> float:
    """Return the seconds to wait before the next poll, after `asked` polls in vain.

    They double up to 15, plus or minus a fifth, as `roll`, in [0, 1), decides.
    """
    return min(_LONGEST, _FIRST * 2.0 ** min(asked - 1, 64)) * (1 + _SPREAD * (roll - 0.5))
