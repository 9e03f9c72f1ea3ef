"""An endpoint: whose deliveries an address receives, and how they prove where they are from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from .._frames import bared
from ..adapter import Adapter
from ..adapters import load
from ..errors import ConfigurationError, WebhookError
from ..events import Event, Webhook
from ..secret import Secret
from ..signing.webhooks import Claim, Received, Scheme
from ..sync import Delivery
from ..webhooks import verify

__all__ = ["LARGEST", "Endpoint"]

LARGEST: Final = 8 * 1024 * 1024  # bytes; the text of the longest call is a quarter of that
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32,256}")


class Endpoint:
    """An address that receives the deliveries of one account.

    Raises `ConfigurationError` for what could never work, such as an incomplete secret, and for an endpoint that
    believes anyone.
    """

    __slots__ = ("account", "adapter", "largest", "provider", "scheme", "secrets", "token", "tolerance", "url")

    @bared
    def __init__(
        self,
        provider: str | Adapter,
        *,
        account: str = "default",
        secrets: Sequence[str | Secret] = (),
        token: str | Secret | None = None,
        scheme: Scheme | str | None = None,
        largest: int | None = LARGEST,
        tolerance: float | None = None,
        url: str | None = None,
    ) -> None:
        """Describe an endpoint.

        Args:
            provider: the provider's name, or an adapter of your own.
            account: the name of the hub's account that the deliveries belong to.
            secrets: what the provider's console shows; several while one replaces another. Without any, `token` is
                needed, and deliveries are hints: what they are about is fetched, and nothing they say is stored.
            token: the last segment of the address, at least 32 letters, digits, `_` and `-`, for providers that do not
                sign.
            scheme: replaces the provider's usual way to sign; or the name of another way that it has: `hmac` or
                `bearer` for Vapi.
            largest: bytes of the largest delivery; the adapter's own limit holds as well. None: only that.
            tolerance: seconds that a delivery's own time may differ from the present; None: the provider's.
            url: the address that the provider calls, complete, for those that sign it.
        """
        self.adapter: Adapter = load(provider) if isinstance(provider, str) else provider
        self.provider: str = self.adapter.name
        self.account: str = account
        self.secrets: tuple[Secret, ...] = tuple(_secret(one, "webhook secret") for one in secrets)
        self.token: Secret | None = None if token is None else _secret(token, "token")
        self.scheme: Scheme | None = self._named(scheme) if isinstance(scheme, str) else scheme or self._webhook.scheme
        self.largest: int = min(self._webhook.largest_body, largest or self._webhook.largest_body)
        self.tolerance: float | None = tolerance
        self.url: str | None = url
        self._check()

    @property
    def _webhook(self) -> Webhook:
        if self.adapter.webhook is None:
            raise ConfigurationError(f"{self.adapter.name} has no webhooks", provider=self.adapter.name)
        return self.adapter.webhook

    def _named(self, name: str) -> Scheme:
        found = self._webhook.schemes
        if name not in found:
            choices = f"choose from {', '.join(found)}, or leave it out" if found else "leave scheme out"
            raise ConfigurationError(f"unknown scheme {name!a}: {choices}", provider=self.provider)
        return found[name]

    def _check(self) -> None:
        if self.token is not None and not _TOKEN.fullmatch(self.token.reveal()):
            raise ConfigurationError("a token must be 32 to 256 letters, digits, '_' or '-'", provider=self.provider)
        if not self.secrets and self.token is None:
            raise ConfigurationError(
                "an endpoint without a secret believes anyone: give secrets, or a token for its address",
                provider=self.provider,
            )
        with suppress(WebhookError):  # an empty delivery is refused, but a wrong secret is told first
            self._verified(b"", (), datetime.now(UTC))
        if self.secrets and self.scheme is not None:
            _try(self.scheme, self.secrets[0].reveal(), self.url)

    def admits(self, segments: Sequence[str]) -> bool:
        """Whether these are the segments of a path behind the endpoint's name: its token, if it has one."""
        if self.token is None:
            return not segments
        given = segments[0] if len(segments) == 1 else ""
        return compare_digest(given.encode(errors="surrogatepass"), self.token.reveal().encode())

    @bared
    def delivery(self, name: str, body: bytes, headers: Sequence[tuple[str, str]], now: datetime) -> Delivery:
        """Verify a delivery and read it; one that is signed but unreadable says why.

        Raises:
            WebhookError: it is refused.
            ConfigurationError: it cannot be verified here, whatever was sent.
        """
        events: list[Event] = []
        unreadable: str | None = None
        try:
            events = self._verified(body, headers, now)
        except WebhookError as error:
            if error.status != 400:
                raise
            unreadable = error.reason
        signed = self.scheme if self.secrets else None
        return Delivery(
            endpoint=name,
            provider=self.provider,
            account=self.account,
            events=tuple(events),
            body=body,
            content_type=dict(headers).get("content-type"),
            digest=sha256(body).digest(),
            received_at=now,
            verified=signed is not None,
            signed_members=signed.signed_members if signed else None,
            unreadable=unreadable,
        )

    def _verified(self, body: bytes, headers: Sequence[tuple[str, str]], now: datetime) -> list[Event]:
        return verify(
            self.adapter,
            body,
            headers,
            self.secrets or None,
            now,
            scheme=self.scheme,
            tolerance=self.tolerance,
            url=self.url,
            insecure_accept_unsigned=not self.secrets,
        )

    def __repr__(self) -> str:
        return f"Endpoint({self.provider}/{self.account})"


def _secret(value: str | Secret, name: str) -> Secret:
    return value if isinstance(value, Secret) else Secret(value, name)


def _try(scheme: Scheme, secret: str, url: str | None) -> None:
    """Raise `ConfigurationError` if a scheme lacks something for every delivery: its extra, or the URL."""
    received = Received(headers=dict.fromkeys(scheme.headers, "x"), body=b"{}", told_url=url)
    for work in (lambda: scheme.claim(received), lambda: scheme.matches(Claim((b"x",), b""), scheme.key(secret))):
        try:
            work()
        except ConfigurationError:
            raise
        except Exception:  # noqa: BLE001, S112  (this delivery is none)
            continue
