"""Four providers on this machine: their conversations as files, served by nginx."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from shapes import bodies

__all__ = ["PATHS", "Loopback", "serve"]

PATHS = {
    "tavus": "v2/conversations",
    "elevenlabs": "v1/convai/conversations",
    "retell": "v2/get-call",
    "vapi": "call",
}
"""Where each provider has a conversation, but for its id."""


class Loopback(NamedTuple):
    """Where the providers are, what serves them, and how many bytes a conversation of each has."""

    base_url: str
    server: str
    sizes: Mapping[str, int]


@contextmanager
def serve(conversations: int) -> Generator[Loopback]:
    """Serve so many conversations of each provider, each under an id of its own."""
    with tempfile.TemporaryDirectory(prefix="conversations-") as folder:
        root = Path(folder)
        sizes = {provider: _write(root / path, provider, conversations) for provider, path in PATHS.items()}
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server, command = _server(root, port)
        with subprocess.Popen(command) as serving:  # noqa: S603
            try:
                _await(serving, port)
                yield Loopback(f"http://127.0.0.1:{port}", server, sizes)
            finally:
                serving.terminate()


def _write(folder: Path, provider: str, conversations: int) -> int:
    folder.mkdir(parents=True)
    return max((folder / id).write_text(body) for id, body in bodies(provider, conversations))


def _server(root: Path, port: int) -> tuple[str, list[str]]:
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if nginx is None:
        return "asyncio, for want of nginx", [sys.executable, __file__, str(root), str(port)]
    told = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True)  # noqa: S603
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (root / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; pid {root}/pid; error_log {root}/errors;
        events {{ worker_connections 512; }}
        http {{
            {" ".join(f"{kind}_temp_path {root}/{kind};" for kind in kinds)}
            access_log off; keepalive_requests 1000000; default_type application/json;
            server {{ listen 127.0.0.1:{port}; root {root}; }}
        }}
        """
    )
    version = told.stderr.strip().rpartition(" ")[2]
    return version, [nginx, "-e", f"{root}/errors", "-c", f"{root}/nginx.conf"]


def _await(serving: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 10
    while True:
        assert serving.poll() is None, "the server ended by itself"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.02)
        else:
            return


async def _answer(root: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        await reader.readuntil(b"\r\n\r\n")
        path = line.split()[1].decode().partition("?")[0]
        body = (root / path[1:]).read_bytes()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
    writer.close()


async def _serve(root: Path, port: int) -> None:
    """Serve the files where there is no nginx."""
    async with await asyncio.start_server(partial(_answer, root), "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
