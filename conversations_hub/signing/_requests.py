"""Signers of requests: each puts an account's key where its provider expects it, and nowhere else."""

from __future__ import annotations

import msgspec

from ..wire import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Protocol

    from ..secret import Secret

    class Credentials(Protocol):
        """The part of an account that a signer reads."""

        @property
        def key(self) -> Secret: ...
        @property
        def settings(self) -> Mapping[str, Secret]: ...


__all__ = ["bearer", "header"]


def header(name: str) -> Callable[[Request, Credentials, datetime], Request]:
    """Return a signer that sends the key in the header `name`."""

    def sign(request: Request, account: Credentials, _now: datetime) -> Request:
        return msgspec.structs.replace(request, headers={**request.headers, name: account.key.reveal()})

    return sign


def bearer(request: Request, account: Credentials, _now: datetime) -> Request:
    """Send the key as `Authorization: Bearer …`."""
    authorization = f"Bearer {account.key.reveal()}"
    return msgspec.structs.replace(request, headers={**request.headers, "Authorization": authorization})
