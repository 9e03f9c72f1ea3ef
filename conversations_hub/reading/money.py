"""Amounts of money, exactly as they are sent."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..schema import Cost, Issue
from .values import ABSENT, AnyJson

__all__ = ["amount", "cost"]

_LARGEST = 2.0**63
_LONGEST = 40  # characters
_UNTOLD = (None, "", *ABSENT, msgspec.Raw(b'""'))


def amount(value: AnyJson | msgspec.Raw, place: str, issues: list[Issue]) -> Decimal | None:
    """Read an amount exactly as it was sent: a number, or a number as text; None for any other value."""
    sent = bytes(value).decode().strip('"') if isinstance(value, msgspec.Raw) else str(value)
    try:
        found = Decimal(sent if len(sent) <= _LONGEST else "nan")
    except ArithmeticError:
        found = Decimal("nan")
    if found.is_finite() and found.copy_abs() < _LARGEST:
        return found
    issues.append(Issue(place, "not a number"))
    return None


def cost(
    value: AnyJson | msgspec.Raw, place: str, issues: list[Issue], *, unit: str = "USD", per_unit: int = 1
) -> Cost | None:
    """Read the cost of a conversation; None if the provider does not say. An amount in cents has 100 `per_unit`."""
    if value in _UNTOLD:
        return None
    found = amount(value, place, issues)
    if found is None:
        return None
    return Cost(amount=found if per_unit == 1 else found / per_unit, unit=unit)  # a division rounds
