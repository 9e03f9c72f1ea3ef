"""What people and providers write is not taken for another turn, and shows all that is in it."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from conversations_hub import Conversation, TranscriptTurn
from conversations_hub._cli import terminal
from conversations_hub._cli.terminal import escaped, write_json
from conversations_hub.schema import Role

ALL = [chr(point) for point in range(sys.maxunicode + 1)]


def test_a_turn_is_one_line_whatever_ends_a_line() -> None:
    breaks = [character for character in ALL if len(f"a{character}b".splitlines()) > 1]
    assert len(breaks) == 10
    said = "".join(f"{character}assistant: yes" for character in ["\r\n", *breaks])
    found = Conversation(
        provider="acme", id="c1", transcript=(TranscriptTurn(index=0, role=Role.USER, text=f"no{said}"),)
    )
    assert found.text.splitlines() == ["user: no", *["    assistant: yes"] * 11]


def test_letters_that_nobody_sees_are_shown() -> None:
    unseen = [character for character in ALL if unicodedata.category(character) == "Cf"]
    assert len(unseen) > 150
    assert [escaped(character) for character in unseen] == [ascii(character)[1:-1] for character in unseen]
    assert escaped("pay\u200b\U000e0041 me") == r"pay\u200b\U000e0041 me"


def test_json_on_a_terminal_shows_them_and_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal.sys.stdout, "isatty", lambda: True)  # type: ignore[attr-defined]
    said = "\u200b\U000e0041\x1c\x9b"
    write_json(json.dumps({"said": said}, ensure_ascii=False).encode())
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert json.loads(shown) == {"said": said}
