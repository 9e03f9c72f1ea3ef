"""The end of a server that loses no connection: what it accepted just now is closed like the rest."""

from __future__ import annotations

import asyncio

__all__ = ["stop_listening"]


async def stop_listening(server: asyncio.Server) -> None:
    """Close a server once all that it has accepted is in its protocol's hands.

    asyncio drops a socket that was accepted one step before its server was closed: nobody would ever close it.
    """
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    await asyncio.sleep(0)
    server.close()
    await asyncio.sleep(0)  # a protocol learns of its connection one step after that was made
