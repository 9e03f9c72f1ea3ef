"""A Redis of a test's own, on a socket in its folder: it can be stopped, frozen, and started with nothing in it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

__all__ = ["RedisServer"]


class RedisServer:
    """A server that `stop` ends; `start` starts it again, empty."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        self._folder = folder
        self._password = password
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, password: str | None = None) -> str:
        """Return its URL."""
        return f"unix://{f':{password}@' if password else ''}{self._socket}"

    def client(self) -> Any:
        """Return a client of redis-py, which only the environment for engines has."""
        return import_module("redis.asyncio").Redis.from_url(self.url(self._password))

    def start(self) -> None:
        """Start it; skip the test if it is not installed."""
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("NOT TRIED: Redis. Install redis-server, and run `make engines`.")
        told = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._folder)]
        told += ["--requirepass", self._password] if self._password else []
        self._process = subprocess.Popen([program, *told], stdout=subprocess.DEVNULL)  # noqa: S603
        while not self._socket.exists():
            assert self._process.poll() is None, "redis-server ended at once"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, and lose what it holds."""
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._process.wait()
            self._socket.unlink(missing_ok=True)
            self._process = None

    def freeze(self) -> None:
        """Let it answer nothing, although it accepts connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
