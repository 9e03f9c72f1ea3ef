"""Recordings at URLs that need no key."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import unquote_plus, urlsplit

from ..schema import Issue, Recording, RecordingAccess
from .values import add_seconds, instant, seconds

__all__ = ["signed_recording", "signed_url_expiry"]


def signed_recording(
    url: str | None, place: str, issues: list[Issue], *, duration: float | None = None
) -> Recording | None:
    """Return the recording at a URL; None if there is none. A location that is no URL of the web is kept, and noted."""
    if not url:
        return None
    expires_at = signed_url_expiry(url, place, issues)
    return Recording(location=url, access=RecordingAccess.SIGNED_URL, duration=duration, expires_at=expires_at)


def signed_url_expiry(url: str, place: str, issues: list[Issue]) -> datetime | None:
    """Read when a signed URL stops working, as the three large object stores write it; None if it does not say."""
    asked = _query_of(url)
    if asked is None:
        issues.append(Issue(place, "not a URL"))
    if not asked:
        return None
    told: dict[str, str] = {}
    for pair in asked.split("&"):  # `parse_qsl` would decode the signature too, which takes most of the time
        name, _, value = pair.partition("=")
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        if value and name in _EXPIRY:
            told[name] = unquote_plus(value)
    signed_at = instant(told.get("X-Amz-Date"), place, issues)
    lifetime = seconds(told.get("X-Amz-Expires"), place, issues)
    return add_seconds(signed_at, lifetime, place, issues) or instant(
        told.get("Expires") or told.get("se"), place, issues
    )


_EXPIRY = {"X-Amz-Date", "X-Amz-Expires", "Expires", "se"}


def _query_of(url: str) -> str | None:
    """Return the query of a URL of the web; None if it is none."""
    try:
        told = urlsplit(url)
    except ValueError:
        return None
    return told.query if told.scheme in {"https", "http"} and told.netloc else None
