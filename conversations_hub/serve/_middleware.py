"""The guard around every request: who may ask, how often, and the headers of every answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from aiohttp import web

from ..errors import HubError, StoreError
from ._answers import failed, refused
from ._guard import HEADERS, Head, bearer, check_head, check_site, peer_of
from ._refusal import Refusal
from ._routes import Route
from ._service import SERVICE, TOKEN, Service
from ._stream import BEGUN
from ._tokens import Token

__all__ = ["GUARDED", "guard", "headed"]

_log = logging.getLogger("conversations_hub.serve")

GUARDED = web.AppKey("guarded", Mapping[str, Route])
"""The routes of the gateway, by their templates; others, such as those of webhooks, have their own guards."""

_CLOSED: Final = ("/v1", "/metrics")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Outcome(NamedTuple):
    answer: web.StreamResponse
    failure: str = ""
    """For the log: what whoever runs this has to know."""


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request that may be answered, as a problem if it cannot; count it, and log it without its arguments."""
    service = request.config_dict[SERVICE]
    resource = request.match_info.route.resource
    template = resource.canonical if resource is not None else "other"
    began = asyncio.get_running_loop().time()
    answer, failure = await _outcome(request, handler, service, template)
    seconds = asyncio.get_running_loop().time() - began
    service.counters.requests.add(route=template, status=str(answer.status))
    service.counters.seconds.observe(seconds, route=template)
    name = request[TOKEN].name if TOKEN in request else "-"
    level = logging.ERROR if failure else logging.INFO
    _log.log(level, "%s %s %d %.0f ms %s %s", request.method, template, answer.status, 1000 * seconds, name, failure)
    return answer


async def _outcome(request: web.Request, handler: Handler, service: Service, template: str) -> _Outcome:
    try:
        _admit(request, service, request.config_dict[GUARDED].get(template))
        return _Outcome(await handler(request))
    except Refusal as refusal:
        outcome = _Outcome(refused(refusal))
    except HubError as error:
        outcome = _Outcome(failed(error), _failure(error))
    except web.HTTPException as error:
        outcome = _Outcome(refused(_of_router(error)) if error.status >= HTTPStatus.BAD_REQUEST else error)
    except ConnectionError:
        outcome = _Outcome(refused(Refusal(503, "stopping")))
    except Exception as error:  # noqa: BLE001  (its message may hold anything)
        outcome = _Outcome(refused(Refusal(500, "unexpected")), type(error).__name__)
    if BEGUN not in request:
        return outcome
    if request.transport is not None:
        request.transport.abort()  # what is cut must not look whole
    return _Outcome(request[BEGUN], outcome.failure)


def _failure(error: HubError) -> str:
    """Return what is said in the log; most errors may quote what was asked, or what a provider said."""
    if isinstance(error, StoreError):
        return str(error)
    return type(error).__name__ if error.http_status == HTTPStatus.INTERNAL_SERVER_ERROR else ""


def _of_router(error: web.HTTPException) -> Refusal:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return Refusal(405, "method", headers={"Allow": error.headers["Allow"]})
    if error.status == HTTPStatus.NOT_FOUND:
        return Refusal(404, "not_found")
    return Refusal(error.status, "bad_request")


def _admit(request: web.Request, service: Service, route: Route | None) -> None:
    """Raise `Refusal` unless a request may be answered; note whose token it has."""
    headers = request.headers
    head = Head(
        method=request.method,
        target=request.raw_path,
        hosts=headers.getall("Host", []),
        size=len(request.raw_path) + sum(len(name) + len(value) for name, value in request.raw_headers),
        fetch_site=headers.get("Sec-Fetch-Site"),
    )
    check_head(head, service.hosts)
    failure = request.match_info.http_exception
    if route is None and failure is None:
        return
    if isinstance(failure, web.HTTPMethodNotAllowed):
        raise failure
    if (route is None and request.path.startswith(_CLOSED)) or (route is not None and route.scope is not None):
        check_site(head)
        token = _token(request, service, route)
        service.rates.take(token.name, asyncio.get_running_loop().time())
        request[TOKEN] = token
        if route is not None and route.scope not in token.scopes:
            raise Refusal(403, "scope", f"this needs a token with the scope {route.scope}")


def _token(request: web.Request, service: Service, route: Route | None) -> Token:
    """Return the token of a request; raise `Refusal` (401, or 429 after many wrong ones) if there is none."""
    authorization = request.headers.getall("Authorization", [])
    now = service.now()
    if route is not None and route.takes_ticket and not authorization and "ticket" in request.query:
        signed = f"/v1/recordings/{request.match_info['ref']}/{request.match_info['position']}"
        holder = service.tickets.holder(signed, request.query["ticket"], now)
        found = None if holder is None else service.tokens.named(holder, now)
    else:
        text = bearer(authorization)
        if text is None:
            raise Refusal(401, "no_token", "send Authorization: Bearer …", headers=_CHALLENGE)
        found = service.tokens.find(text, now)
    if found is None:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        peer = peer_of(request.remote, forwarded, behind_proxy=service.behind_proxy)
        if service.strangers.refused(peer, asyncio.get_running_loop().time()):
            raise Refusal(429, "too_many", "too many wrong tokens came from this address", retry_after=60.0)
        raise Refusal(401, "wrong_token", headers=_CHALLENGE)
    return found


_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


async def headed(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on an answer."""
    response.headers.update(HEADERS)
