"""A Postgres server of the tests' own: in a temporary folder, on a Unix socket only, as no superuser of the machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from urllib.parse import quote

__all__ = ["Server", "found", "serving_postgres"]

_NUMBERS = count(1)
_CHEAP = "-c listen_addresses='' -c fsync=off -c max_connections=200 -c log_min_messages=panic"


def found() -> Path | None:
    """Return the folder of the newest programs that are installed here; None: there are none."""
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parent.parent.name))
    return Path(on_path).parent if on_path else folders[-1].parent if folders else None


class Server:
    """A running server."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs = programs
        self._folder = folder
        self._user = user

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs; it must succeed."""
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(  # noqa: S603  (our own command)
            command, user=self._user, cwd=self._folder, capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stdout + done.stderr

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        # Not captured: the server keeps the output open.
        command = [str(self._programs / "pg_ctl"), "-D", str(self._folder / "data"), "-w", "-l", "log", "-o"]
        done = subprocess.run(  # noqa: S603
            [*command, f"{_CHEAP} -k {self._folder}", "start"],
            user=self._user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        assert not done.returncode, (self._folder / "log").read_text()

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: "fast" ends all connections, "immediate" is as if the process was killed."""
        self.run("pg_ctl", "-D", str(self._folder / "data"), "-m", mode, "stop")

    def url(self, schema: str | None = None) -> str:
        """Return the URL of a store there; without a schema, that of one in which nothing is."""
        schema = f"test_{os.getpid()}_{next(_NUMBERS)}" if schema is None else schema
        return f"postgresql://hub@/postgres?host={quote(str(self._folder), safe='')}&schema={schema}"


@contextmanager
def serving_postgres(programs: Path) -> Generator[Server]:
    """Run a server while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-"))  # a short name: that of a socket has 107 characters at most
    user: str | None = None
    if os.geteuid() == 0:  # it refuses to run as root
        names = {one.pw_name for one in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
        shutil.chown(folder, user)
    server = Server(programs, folder, user)
    try:
        server.run("initdb", "-D", "data", "-A", "trust", "-U", "hub", "-E", "UTF8", "--locale=C", "--no-sync")
        server.start()
        yield server
    finally:
        with suppress(AssertionError):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
