"""The tutorial: every step works, in order, and prints what its page says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conversations_hub.testing import Simulator

from ..support.page_examples import blocks
from ..support.paths import DOCS

TUTORIAL = DOCS / "tutorial"
_LONG = ("conversations-hub demo",)
_SHOWN = ("python", "text")


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Serve the accounts that the tutorial names, and set the variables that its reader sets."""
    with Simulator(conversations=40, providers=["tavus", "retell", "vapi", "elevenlabs"]) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        yield os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _work_through(page: str, environ: dict[str, str]) -> int:
    """Run a page's commands and programs; return how many said what they print."""
    compared, printed = 0, ""
    for language, code in blocks(TUTORIAL / page):
        if language == "sh":
            for command in code.splitlines():
                if not command.startswith(_LONG):
                    subprocess.run(command, shell=True, env=environ, check=True, stdout=subprocess.DEVNULL)  # noqa: S602
        elif language == "python":
            with redirect_stdout(StringIO()) as out:
                exec(compile(code, page, "exec", dont_inherit=True), {"__name__": "__main__"})  # noqa: S102
            printed = out.getvalue()
        elif language == "text" and printed:
            assert printed == code
            compared, printed = compared + 1, ""
    return compared


def test_a_conversation(environ: dict[str, str]) -> None:
    assert _work_through("conversation.md", environ) == 3


def test_a_list(environ: dict[str, str]) -> None:
    assert _work_through("list.md", environ) == 4


def test_a_sync_and_a_search(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _work_through("sync.md", environ) == 1
    assert _work_through("search.md", environ) == 2


def test_the_first_step(environ: dict[str, str]) -> None:
    assert _work_through("demo.md", environ) == 0


async def test_a_webhook(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    receiver, _, printed = [code for language, code in blocks(TUTORIAL / "webhook.md") if language in _SHOWN][:3]
    names: dict[str, object] = {"__name__": "receiver"}
    exec(compile(receiver, "webhook.md", "exec", dont_inherit=True), names)  # noqa: S102
    app = names["app"]
    assert isinstance(app, web.Application)
    simulator = Simulator(conversations=40, providers=["retell"])
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        url = server.make_url("/hooks/retell")
        for sent in simulator.delivered("retell", "call_c1c7b394a6"):
            async with session.post(url, data=sent.body, headers=sent.headers) as answer:
                assert answer.status == 200
        async with session.post(url, data=b"{}") as answer:
            assert answer.status == 401
    assert capsys.readouterr().out == printed
