"""An address with a token reaches the browser, and nobody else on the machine."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from conversations_hub._cli.browser import opened


def test_no_argument_of_a_process_holds_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(webbrowser, "open", seen.append)
    with opened("http://127.0.0.1:1/#token=canary"):
        [url] = seen
        assert "canary" not in url
        file = Path(unquote(urlsplit(url).path))
        assert file.stat().st_mode & 0o777 == 0o600
        assert 'content="0;url=http://127.0.0.1:1/#token=canary"' in file.read_text()
    assert not file.exists()
