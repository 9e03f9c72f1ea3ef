"""Webhooks: raw body, headers and secret → verified events; no hub, no framework and no network needed.

    events = verify("elevenlabs", await request.read(), request.headers, secret, datetime.now(UTC))

Nothing in a body is parsed before its signature is verified, except what the signature covers. Conversations in events
are read as `get` reads them; if one lacks its transcript, `event.to_fetch` is the ref to pass to `hub.get`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from math import inf

import msgspec

from ._frames import bared
from ._scrub import without_secrets_in_analysis
from ._stamp import stamp
from .adapter import Adapter
from .adapters import load
from .errors import ConfigurationError, HubError, UnsupportedError, WebhookError
from .events import Event, EventKind, Webhook
from .reading.json import well_formed
from .secret import Secret
from .signing._delivery import Body, Headers, Received, header_pairs, viewed
from .signing.webhooks import TOLERANCE, Claim, Scheme
from .wire import check_id

__all__ = ["Body", "Event", "EventKind", "Headers", "Secrets", "read_verified", "verify"]

Secrets = str | Secret | Sequence[str | Secret]
"""The signing secret, or several during rotation."""

_LEAST = 16
_MOST_SECRETS = 16
_LONGEST_HEADER = 16 * 1024
_CODING = "content-encoding"


@bared
def verify(
    provider: str | Adapter,
    body: Body,
    headers: Headers,
    secret: Secrets | None,
    now: datetime,
    *,
    scheme: Scheme | None = None,
    tolerance: float | None = None,
    url: str | None = None,
    insecure_accept_unsigned: bool = False,
) -> list[Event]:
    """Verify a delivery and return its events; most deliveries hold one.

    The same delivery may come again, even from someone who recorded it: store each `event.id` for a day, or longer than
    `tolerance`, and handle it only once.

    Args:
        provider: the provider's name, or an adapter of your own.
        body: the bytes as sent, as `bytes` or another object with the buffer protocol. Text is refused, because a
            framework that decodes and encodes the body again breaks its signature.
        headers: all headers, names in any case: a mapping of names to values or lists of values, the headers of any
            framework's request, or pairs of text or bytes, as in an ASGI scope.
        secret: the secret that the provider's console shows, or several during rotation. None for a provider that does
            not sign, together with `insecure_accept_unsigned`; the events then say that they are not verified.
        now: the present, an aware datetime.
        scheme: replaces the provider's usual scheme; from `conversations_hub.signing.webhooks`.
        tolerance: seconds that the delivery's own time may differ from `now`, either way. None: as many as the provider
            names, or 300 if it names none.
        url: the URL that the provider calls, with its query, for schemes that sign it; behind a proxy, the public URL.
        insecure_accept_unsigned: accept deliveries that anyone may have sent.

    Raises:
        WebhookError: the delivery is refused; `status` is the HTTP status to answer with.
        ConfigurationError: no secret, or an argument that is invalid whatever was sent.
        UnsupportedError: the provider has no webhooks.
    """
    adapter = load(provider) if isinstance(provider, str) else provider
    provider, webhook = adapter.name, adapter.webhook
    if webhook is None:
        raise UnsupportedError(f"{provider} has no webhooks", provider=provider)
    scheme = webhook.scheme if scheme is None else scheme
    _check_arguments(now, scheme, url)
    own = scheme.tolerance if scheme else TOLERANCE
    most_age = _seconds(own if tolerance is None else tolerance)
    keys = _keys(provider, scheme, secret, insecure_accept_unsigned=insecure_accept_unsigned)
    if viewed(body).nbytes > webhook.largest_body:
        raise _refusal(provider, 413, f"the body is larger than {webhook.largest_body} bytes")
    signed = scheme if keys else None
    sent = _check_headers(provider, header_pairs(headers), signed.headers if signed else ())
    received = Received(headers=sent, body=bytes(body), told_url=url)
    if signed is not None:
        claim = _claim(provider, signed, received)
        _check_age(provider, claim, now, most_age)
        if not any(_matches(provider, signed, claim, key) for key in keys):
            raise _refusal(provider, 401, "signature mismatch: is this the secret of this endpoint?")
    members = signed.signed_members if signed else None
    return _events(adapter, webhook, received, verified=signed is not None, members=members)


def read_verified(
    provider: str | Adapter,
    body: bytes,
    *,
    content_type: str | None = None,
    verified: bool,
    signed_members: tuple[str, ...] | None = None,
) -> list[Event]:
    """Return the events of a delivery that `verify` accepted before, such as one that was stored.

    `content_type` is that of the delivery; `verified` and `signed_members` are what its events said then.

    Raises:
        WebhookError: it cannot be read.
        UnsupportedError: the provider has no webhooks.
    """
    adapter = load(provider) if isinstance(provider, str) else provider
    if adapter.webhook is None:
        raise UnsupportedError(f"{adapter.name} has no webhooks", provider=adapter.name)
    headers = {} if content_type is None else {"content-type": content_type}
    return _events(
        adapter, adapter.webhook, Received(headers=headers, body=body), verified=verified, members=signed_members
    )


def _check_arguments(now: object, scheme: object, url: object) -> None:
    if not isinstance(now, datetime) or now.utcoffset() is None:
        raise ConfigurationError("now has no time zone: give an aware datetime, such as datetime.now(UTC)")
    if not isinstance(scheme, Scheme | None):
        raise ConfigurationError("scheme must be a Scheme of conversations_hub.signing.webhooks")
    if not isinstance(url, str | None):
        raise ConfigurationError(f"url must be text, not {type(url).__name__}; pass str(request.url), for example")


def _seconds(tolerance: object) -> float:
    # NaN compares false with any age.
    if not isinstance(tolerance, int | float) or not 0 <= tolerance < inf:
        raise ConfigurationError("the tolerance must be a finite number of seconds, 0 or more")
    return tolerance


def _keys(
    provider: str, scheme: Scheme | None, secret: Secrets | None, *, insecure_accept_unsigned: bool
) -> list[bytes]:
    if secret is None:
        if insecure_accept_unsigned:
            return []
        how = "pass it" if scheme else f"{provider} does not sign, so let its deliveries carry one and pass it"
        raise ConfigurationError(
            f"no secret to verify with: {how}, or pass insecure_accept_unsigned=True", provider=provider
        )
    if scheme is None:
        raise ConfigurationError(f"{provider} does not sign its deliveries: pass scheme=, or no secret")
    secrets = list(secret) if isinstance(secret, Sequence) and not isinstance(secret, str | bytes) else [secret]
    if not 0 < len(secrets) <= _MOST_SECRETS:
        raise ConfigurationError(
            f"{len(secrets)} secrets: give 1 to {_MOST_SECRETS}, because each costs a hash of every body, even forged",
            provider=provider,
        )
    return [_key(provider, scheme, one) for one in secrets]


def _key(provider: str, scheme: Scheme, secret: object) -> bytes:
    text = secret.reveal() if isinstance(secret, Secret) else secret
    if not isinstance(text, str):
        raise ConfigurationError(f"a secret must be text or a Secret, not {type(text).__name__}", provider=provider)
    key = b""
    with suppress(Exception):  # a scheme may raise anything
        key = scheme.key(text) if text == text.strip() else b""
    if len(key) < _LEAST:
        raise ConfigurationError(
            f"the webhook secret is invalid: it must have at least {_LEAST} bytes, and no space or line break around"
            f" them. Copy all of it from the console of {provider}",
            provider=provider,
        )
    return key


def _refusal(provider: str, status: int, reason: str) -> WebhookError:
    return WebhookError(reason, provider=provider, operation="webhook", status=status)


def _check_headers(provider: str, pairs: Sequence[tuple[str, str]], needed: Sequence[str]) -> dict[str, str]:
    """Return the headers by name; refuse a compressed body, and missing, repeated or oversized headers."""
    codings = {coding.strip().lower() for name, value in pairs if name == _CODING for coding in value.split(",")}
    if codings - {"identity", ""}:
        raise _refusal(provider, 415, "compressed bodies cannot be verified")
    counts = Counter(name for name, _ in pairs)
    sent = dict(pairs)
    for name in needed:
        if counts[name] != 1:
            wrong = "is missing" if not counts[name] else "came more than once"
            raise _refusal(provider, 401, f"the header {name} {wrong}")
        if len(sent[name]) > _LONGEST_HEADER:
            raise _refusal(provider, 401, f"the header {name} is longer than {_LONGEST_HEADER} characters")
    return sent


def _claim(provider: str, scheme: Scheme, received: Received) -> Claim:
    try:
        claim = scheme.claim(received)
    except ConfigurationError:
        raise
    except Exception:  # noqa: BLE001  (an unreadable delivery must not look like our outage, whoever wrote the scheme)
        claim = None
    if claim is None:
        raise _refusal(provider, 401, f"the headers hold no readable {scheme.name} signature")
    return claim


def _matches(provider: str, scheme: Scheme, claim: Claim, key: bytes) -> bool:
    try:
        return scheme.matches(claim, key)
    except ConfigurationError:
        raise
    except Exception as bug:  # noqa: BLE001  (as for a claim)
        reason = f"the scheme {scheme.name} could not check the signature: {type(bug).__name__}"
    raise _refusal(provider, 401, reason)


def _check_age(provider: str, claim: Claim, now: datetime, tolerance: float) -> None:
    if claim.sent_at is None:
        return
    age = now.timestamp() - claim.sent_at
    if not abs(age) <= tolerance:
        when = "too long ago" if age > 0 else "in the future"
        raise _refusal(provider, 401, f"it was signed {when}: more than {tolerance:g} s from now")


def _events(
    adapter: Adapter, webhook: Webhook, received: Received, *, verified: bool, members: tuple[str, ...] | None
) -> list[Event]:
    try:
        body = _fields(received.form) if webhook.forms and received.form else well_formed(received.body)[0]
        told = [_own(event, adapter) for event in webhook.events(body)]
        return [msgspec.structs.replace(event, verified=verified, signed_members=members) for event in told]
    except HubError as error:
        reason = error.reason
    except Exception as bug:  # noqa: BLE001  (an unreadable delivery must not look like our outage)
        reason = f"the adapter could not read the delivery: {type(bug).__name__}"
    raise _refusal(adapter.name, 400, reason)


def _fields(form: Iterable[tuple[str, str]]) -> bytes:
    """Return a form's fields as a JSON object."""
    fields: dict[str, list[str]] = {}
    for name, value in form:
        fields.setdefault(name, []).append(value)
    return msgspec.json.encode({name: values if values[1:] else values[0] for name, values in fields.items()})


def _own(event: Event, adapter: Adapter) -> Event:
    resource = event.resource or adapter.main
    id, conversation = event.conversation_id, event.conversation
    return msgspec.structs.replace(
        event,
        provider=adapter.name,
        conversation_id=None if id is None else adapter.id_for_all(resource, check_id(id)),
        conversation=None if conversation is None else stamp(conversation, adapter, resource),
        analysis=event.analysis and without_secrets_in_analysis(event.analysis, adapter.secret_fields),
    )
