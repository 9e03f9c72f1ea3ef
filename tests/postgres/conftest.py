"""A server for the whole run, and a store of its own for each test."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ..support.postgres import Server, found, serving_postgres


@pytest.fixture(scope="session")
def server() -> Generator[Server]:
    programs = found()
    if programs is None:
        pytest.skip("NOT TRIED: the Postgres store. Install PostgreSQL 13 or newer, and run `make engines`.")
    with serving_postgres(programs) as running:
        yield running


@pytest.fixture
def url(server: Server) -> str:
    return server.url()
