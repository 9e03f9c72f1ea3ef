"""Removes personal data from conversations before they are stored."""

from __future__ import annotations

from ._personal_data import PersonalData
from ._redactors import Redact

__all__ = ["PersonalData", "Redact"]
