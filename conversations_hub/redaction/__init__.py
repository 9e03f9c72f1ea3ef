"""Removes personal data from conversations before they are stored."""

from __future__ import annotations

from .personal_data import PersonalData
from .redactors import Redact

__all__ = ["PersonalData", "Redact"]
