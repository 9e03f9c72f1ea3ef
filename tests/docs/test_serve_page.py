"""What docs/guides/serve.md says is what happens."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conversations_hub.serve import targets_from_file
from conversations_hub.serve._routes import ROUTES
from conversations_hub.stores import open_store, put
from conversations_hub.testing.stores._full import FULL

from ..support.page_examples import blocks
from ..support.paths import DOCS

PATH = DOCS / "guides" / "serve.md"
PAGE = PATH.read_text()


def _code(language: str, word: str) -> str:
    [code] = [code for each, code in blocks(PATH) if each == language and word in code]
    return code


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that has the page's file of tokens."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tokens.toml"
    path.write_text(_code("toml", "[[token]]"))
    path.chmod(0o600)
    return path


@pytest.mark.usefixtures("tokens")
async def test_the_example_serves_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    await put(open_store("conversations.db"), FULL)
    served: dict[str, Any] = {}

    def run_app(app: web.Application, **options: Any) -> None:
        served.update(options, app=app)

    monkeypatch.setattr(web, "run_app", run_app)
    exec(_code("python", "gateway("), {})  # noqa: S102  (our own page)
    assert served["access_log"] is None
    async with TestServer(served["app"]) as server, aiohttp.ClientSession() as session:
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/v1/conversations", 401)):
            async with session.get(server.make_url(path)) as answer:
                assert answer.status == status


def test_the_targets_of_the_file_of_accounts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(_code("toml", "[[forward]]"))
    path.chmod(0o600)
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    [target] = targets_from_file(path, environ={"CRM_SECRET": secret})
    assert target.url == "https://crm.example.com/conversations"


def test_every_route_is_in_the_table_and_nothing_else() -> None:
    table = PAGE.partition("| route | answers |")[2].partition("\n\n")[0]
    named = {
        path for cell in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for path in re.findall(r"`(/.*?)`", cell)
    }
    assert named - {"/"} == {route.path for route in ROUTES} - {"/openapi.json"}
