"""The dashboard, with Datasette: `make web` runs this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conversations_hub import Hub
from conversations_hub.stores import open_store
from conversations_hub.sync import sync
from conversations_hub.testing import Simulator

from ..support.example import EXAMPLES

_WHERE = "`make web` runs the tests with Datasette, which is not installed here"
datasette: Any = pytest.importorskip("datasette.app", reason=_WHERE)
yaml: Any = pytest.importorskip("yaml", reason=_WHERE)


async def test_every_query_shows_rows_as_a_page_and_as_json(tmp_path: Path) -> None:
    store = tmp_path / "conversations.db"
    async with (
        Simulator(conversations=100, providers=["vapi", "retell"]) as simulator,
        Hub.from_env(environ=simulator.environment(), profile="bulk") as hub,
    ):
        await sync(hub, open_store(str(store)))
    metadata = yaml.safe_load((EXAMPLES / "dashboard" / "metadata.yaml").read_text())
    app = datasette.Datasette([str(store)], metadata=metadata)
    queries = metadata["databases"]["conversations"]["queries"]
    assert len(queries) == 6
    for name, query in queries.items():
        page = await app.client.get(f"/conversations/{name}")
        assert (page.status_code, query["title"] in page.text) == (200, True)
        rows = (await app.client.get(f"/conversations/{name}.json?_shape=array")).json()
        assert rows, name
