"""Recordings at URLs: what is one, and how long it works."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conversations_hub.reading.recordings import signed_recording
from conversations_hub.schema import Issue, RecordingAccess


@pytest.mark.parametrize("url", [None, ""])
def test_without_a_url_there_is_none(url: str | None) -> None:
    issues: list[Issue] = []
    assert signed_recording(url, "at", issues) is None
    assert issues == []


@pytest.mark.parametrize(
    "url", ["N/A", "no recording", "/files/a.wav", "s3://bucket/a.wav", "https:///a", "https://[a"]
)
def test_a_location_that_is_no_url_of_the_web_is_kept_and_noted(url: str) -> None:
    issues: list[Issue] = []
    found = signed_recording(url, "at", issues)
    assert found is not None
    assert (found.location, found.expires_at) == (url, None)
    assert issues == [Issue("at", "not a URL")]


def test_a_url_may_say_when_it_stops_working() -> None:
    issues: list[Issue] = []
    url = "HTTPS://a.example/r.wav?X-Amz-Date=20261120T090000Z&X-Amz-Expires=3600"
    found = signed_recording(url, "at", issues, duration=4.5)
    assert found is not None
    assert (found.location, found.access, found.duration) == (url, RecordingAccess.SIGNED_URL, 4.5)
    assert found.expires_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    plain = signed_recording("https://a.example/r.wav", "at", issues)
    assert plain is not None
    assert plain.expires_at is None
    assert issues == []
