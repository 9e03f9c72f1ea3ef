"""The reference of errors, from the classes: what each means, and what programs can tell them by."""

from __future__ import annotations

from collections.abc import Iterator

from conversations_hub import errors
from conversations_hub.errors import HubError

__all__ = ["page"]

_HEAD = """# Errors

Every error that the library raises on purpose is a `HubError`. `str(error)` says what failed, at which provider and \
account, and what to do. It never holds a key, a query or what people said.

```python
from conversations_hub import Hub
from conversations_hub.errors import HubError, NotFoundError


async def title_of(hub: Hub, ref: str) -> str | None:
    try:
        conversation = await hub.get(ref)
    except NotFoundError:
        return None
    except HubError as error:
        if error.retryable:
            return "come back later"
        raise
    return conversation.title
```

An indented error is a kind of the one above it, so `except ProviderError` also catches `RateLimitError`. *Again* says \
whether the same call may succeed a little later; `error.retryable` says so for the error at hand, and \
`error.retry_after` when, in seconds, if the provider said it. The hub has already tried as often as its profile allows.

`error.kind` is the same in every release. *Status* is `error.http_status`, for a service that answers its own \
callers; `problem(error)` makes a whole problem document (RFC 9457). `error.status` is the provider's status.

| error | what happened | kind | status | again |
| --- | --- | --- | --: | :-: |
"""
_TAIL = """
[Python: errors](python/errors.md) lists what each error holds.
"""


def page() -> str:
    """Return the page."""
    return _HEAD + "".join(_rows(HubError, 0)) + _TAIL


def _rows(cls: type[HubError], depth: int) -> Iterator[str]:
    words = " ".join((cls.__doc__ or "").partition("\n\n")[0].split())
    again = "yes" if cls.retryable else "no"
    name = f"{'&nbsp;' * 4 * depth}[`{cls.__name__}`](python/errors.md#{cls.__name__.lower()})"
    yield f"| {name} | {words} | `{cls.kind}` | {cls.http_status} | {again} |\n"
    for each in cls.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from _rows(each, depth + 1)
