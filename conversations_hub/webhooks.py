"""Webhooks: raw body, headers and secret → verified events; no hub, no framework and no network needed.

    events = verify("elevenlabs", await request.read(), request.headers, secret, datetime.now(UTC))

Nothing of a body is parsed before its signature was found to be good, but what the signature is made over. What an
event brings is read as `get` reads it; where it brings no transcript, `event.to_fetch` names what to give to `hub.get`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from math import inf

import msgspec

from .adapter import Adapter
from .adapters import load
from .errors import ConfigurationError, HubError, UnsupportedError, WebhookError
from .events import Event, EventKind, Webhook
from .frames import bared
from .reading.json import well_formed
from .scrub import without_secrets, without_secrets_in_analysis
from .secret import Secret
from .signing.delivery import Body, Headers, Received, header_pairs, viewed
from .signing.webhooks import TOLERANCE, Claim, Scheme
from .wire import check_id

__all__ = ["Body", "Event", "EventKind", "Headers", "Secrets", "verify"]

Secrets = str | Secret | Sequence[str | Secret]
"""What the provider signs with; several while one takes the place of another."""

_LEAST = 16
_MOST_SECRETS = 16
_LONGEST_HEADER = 16 * 1024
_CODING = "content-encoding"


@bared
def verify(
    provider: str,
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
    """Check a delivery and return its events; most deliveries hold one.

    The same delivery may come again, also from somebody who recorded it: keep each `event.id` for a day, or longer
    than `tolerance`, and handle it once.

    Args:
        provider: whose webhook it is, by name.
        body: the bytes as they were sent, as `bytes` or another object that gives its memory; a framework that decoded
            and encoded them again breaks the signature, so text is refused.
        headers: all of them, names in whatever case: a mapping of names to values or to lists of them, the headers of
            any framework's request, or pairs, of text or of bytes as in an ASGI scope.
        secret: what the provider's console shows. None for a provider that does not sign, together with
            `insecure_accept_unsigned`; the events then say that they are not verified.
        now: an aware datetime.
        scheme: another than the provider's usual one, from `conversations_hub.signing.webhooks`.
        tolerance: seconds that the delivery's own time may differ from `now`, either way. None: as many as the provider
            names, 300 where it names none.
        url: the URL as the provider calls it, with its query, for those who sign it; behind a proxy, the public one.
        insecure_accept_unsigned: accept what anybody may have sent.

    Raises:
        WebhookError: refused; `status` is the HTTP status to answer with.
        ConfigurationError: no secret, or an argument that cannot be right, whatever was sent.
        UnsupportedError: the provider has no webhooks.
    """
    adapter = load(provider)
    webhook = adapter.webhook
    if webhook is None:
        raise UnsupportedError(f"{provider} has no webhooks", provider=provider)
    scheme = webhook.scheme if scheme is None else scheme
    _check_arguments(now, scheme, url)
    own = scheme.tolerance if scheme else TOLERANCE
    most_age = _seconds(own if tolerance is None else tolerance)
    keys = _keys(provider, scheme, secret, insecure_accept_unsigned=insecure_accept_unsigned)
    if viewed(body).nbytes > webhook.largest_body:
        raise _refused(provider, 413, f"the body is larger than {webhook.largest_body} bytes")
    signed = scheme if keys else None
    sent = _checked(provider, header_pairs(headers), signed.headers if signed else ())
    received = Received(headers=sent, body=bytes(body), told_url=url)
    if signed is not None:
        claim = _claim(provider, signed, received)
        _check_age(provider, claim, now, most_age)
        if not any(_is_good(provider, signed, claim, key) for key in keys):
            raise _refused(provider, 401, "no signature is good for the secret: is it the secret of this endpoint?")
    return _events(adapter, webhook, received, signed)


def _check_arguments(now: object, scheme: object, url: object) -> None:
    if not isinstance(now, datetime) or now.utcoffset() is None:
        raise ConfigurationError("now has no time zone: give an aware datetime, such as datetime.now(UTC)")
    if not isinstance(scheme, Scheme | None):
        raise ConfigurationError("scheme is none of conversations_hub.signing.webhooks")
    if not isinstance(url, str | None):
        raise ConfigurationError(f"url must be text, not {type(url).__name__}: str(request.url), for one")


def _seconds(tolerance: object) -> float:
    # Nothing is further from now than nan.
    if not isinstance(tolerance, int | float) or not 0 <= tolerance < inf:
        raise ConfigurationError("the tolerance is a number of seconds, 0 or more, and finite")
    return tolerance


def _keys(
    provider: str, scheme: Scheme | None, secret: Secrets | None, *, insecure_accept_unsigned: bool
) -> list[bytes]:
    if secret is None:
        if insecure_accept_unsigned:
            return []
        how = "pass its secret" if scheme else f"{provider} does not sign: have its deliveries carry a secret"
        raise ConfigurationError(
            f"nothing to verify with: {how}, or pass insecure_accept_unsigned=True", provider=provider
        )
    if scheme is None:
        raise ConfigurationError(f"{provider} does not sign its deliveries: pass scheme=, or no secret")
    secrets = list(secret) if isinstance(secret, Sequence) and not isinstance(secret, str | bytes) else [secret]
    if not 0 < len(secrets) <= _MOST_SECRETS:
        raise ConfigurationError(
            f"{len(secrets)} secrets: give 1 to {_MOST_SECRETS}, for each costs a hash of whatever strangers send",
            provider=provider,
        )
    return [_key(provider, scheme, one) for one in secrets]


def _key(provider: str, scheme: Scheme, secret: object) -> bytes:
    text = secret.reveal() if isinstance(secret, Secret) else secret
    if not isinstance(text, str):
        raise ConfigurationError(f"a secret is text or a Secret, not {type(text).__name__}", provider=provider)
    key = b""
    with suppress(Exception):  # whatever a scheme makes of it
        key = scheme.key(text) if text == text.strip() else b""
    if len(key) < _LEAST:
        raise ConfigurationError(
            f"the webhook secret cannot be right: {_LEAST} bytes are the least, and no blank or line break is around"
            f" them. Copy it whole from the console of {provider}",
            provider=provider,
        )
    return key


def _refused(provider: str, status: int, reason: str) -> WebhookError:
    return WebhookError(reason, provider=provider, operation="webhook", status=status)


def _checked(provider: str, pairs: Sequence[tuple[str, str]], needed: Sequence[str]) -> dict[str, str]:
    """Return the headers by name; refuse what nobody can have meant."""
    codings = {coding.strip().lower() for name, value in pairs if name == _CODING for coding in value.split(",")}
    if codings - {"identity", ""}:
        raise _refused(provider, 415, "the body is compressed, which no signature is made over")
    counts = Counter(name for name, _ in pairs)
    sent = dict(pairs)
    for name in needed:
        if counts[name] != 1:
            wrong = "is missing" if not counts[name] else "came more than once"
            raise _refused(provider, 401, f"the header {name} {wrong}")
        if len(sent[name]) > _LONGEST_HEADER:
            raise _refused(provider, 401, f"the header {name} is longer than {_LONGEST_HEADER} characters")
    return sent


def _claim(provider: str, scheme: Scheme, received: Received) -> Claim:
    try:
        claim = scheme.claim(received)
    except ConfigurationError:
        raise
    except Exception:  # noqa: BLE001  (what nobody can read must not look like our outage, whoever wrote the scheme)
        claim = None
    if claim is None:
        raise _refused(provider, 401, f"the headers hold no {scheme.name} signature that can be read")
    return claim


def _is_good(provider: str, scheme: Scheme, claim: Claim, key: bytes) -> bool:
    try:
        return scheme.matches(claim, key)
    except ConfigurationError:
        raise
    except Exception as bug:  # noqa: BLE001  (as for a claim)
        reason = f"the scheme {scheme.name} could not check the signature: {type(bug).__name__}"
    raise _refused(provider, 401, reason)


def _check_age(provider: str, claim: Claim, now: datetime, tolerance: float) -> None:
    if claim.sent_at is None:
        return
    age = now.timestamp() - claim.sent_at
    if not abs(age) <= tolerance:
        when = "too long ago" if age > 0 else "in the future"
        raise _refused(provider, 401, f"it was signed {when}: more than {tolerance:g} s from now")


def _events(adapter: Adapter, webhook: Webhook, received: Received, signed: Scheme | None) -> list[Event]:
    try:
        body = _fields(received.form) if webhook.forms and received.form else well_formed(received.body)[0]
        return [_own(event, adapter, signed) for event in webhook.events(body)]
    except HubError as error:
        reason = error.reason
    except Exception as bug:  # noqa: BLE001  (a delivery nobody can read must not look like our outage)
        reason = f"the adapter could not read it: {type(bug).__name__}"
    raise _refused(adapter.name, 400, reason)


def _fields(form: Iterable[tuple[str, str]]) -> bytes:
    """Return a form's fields as a JSON object."""
    fields: dict[str, list[str]] = {}
    for name, value in form:
        fields.setdefault(name, []).append(value)
    return msgspec.json.encode({name: values if values[1:] else values[0] for name, values in fields.items()})


def _own(event: Event, adapter: Adapter, signed: Scheme | None) -> Event:
    def own(id: str) -> str:
        return adapter.id_for_all(event.resource or adapter.main, check_id(id))

    conversation = event.conversation
    if conversation is not None:
        conversation = msgspec.structs.replace(conversation, provider=adapter.name, id=own(conversation.id))
        conversation = without_secrets(conversation, adapter.secret_fields)
    return msgspec.structs.replace(
        event,
        provider=adapter.name,
        conversation_id=None if event.conversation_id is None else own(event.conversation_id),
        conversation=conversation,
        analysis=event.analysis and without_secrets_in_analysis(event.analysis, adapter.secret_fields),
        verified=signed is not None,
        signed_members=signed.signed_members if signed else None,
    )
