"""Pages as Twilio makes them: each names the URL of the next one, and refusals have a code."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode, urlsplit

from ....wire import Response
from .._world import Call, positive, reply, whole
from .account import address, vendor

__all__ = ["UNKNOWN", "page", "place", "refusal"]

_DEFAULT_SIZE = 50


def refusal(status: int, words: str, *, code: int | None = None) -> Response:
    """Refuse with words and a code, as all products do."""
    number = code or {401: 20003, 404: 20404, 429: 20429}.get(status, 20000 + status)
    more = f"https://www.twilio.com/docs/errors/{number}"
    return reply(status, {"code": number, "message": words, "more_info": more, "status": status})


UNKNOWN = refusal(404, "The requested resource was not found")


def place(call: Call) -> str | None:
    """Return the token of the page that is asked for, empty for the first; None if page and token do not agree."""
    asked = call.query
    number, token = whole(asked.get("Page", "0")), asked.get("PageToken", "")
    return None if number is None or (number > 0) != bool(token) else token


def page(
    call: Call, key: str, rows: Iterator[tuple[str, dict[str, Any]]], *, most: int, product: str = "conversations"
) -> Response:
    """Return a page of rows, each with the token that a page after it begins by."""
    asked = call.query
    size = positive(asked.get("PageSize", str(_DEFAULT_SIZE)))
    number = whole(asked.get("Page", "0")) or 0
    if size is None or size > most:
        return refusal(400, f"Invalid PageSize: it must be between 1 and {most}", code=20001)
    found = list(islice(rows, size + 1))
    path = urlsplit(call.target).path
    kept = {name: value for name, value in asked.items() if name not in {"Page", "PageToken", "PageSize"}}

    # The pages that a walk goes to are where the simulator is; the others only say what this is.
    here, there = f"{address(call, product)}{path}", f"{vendor(product)}{path}"

    def url(base: str, at: int, token: str = "") -> str:
        told = {**kept, "PageSize": size, "Page": at, **({"PageToken": token} if token else {})}
        return f"{base}?{urlencode(told)}"

    following = url(here, number + 1, found[size - 1][0]) if len(found) > size else None
    meta = {
        "key": key,
        "page": number,
        "page_size": size,
        "url": url(there, number, asked.get("PageToken", "")),
        "first_page_url": url(there, 0),
        "previous_page_url": url(here, number - 1, "PTback") if number else None,
        "next_page_url": following,
    }
    return reply(200, {key: [row for _, row in found[:size]], "meta": meta})
