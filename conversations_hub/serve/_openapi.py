"""The OpenAPI document, made of the same table of routes that serves them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from ..schema import Conversation
from ..schema._meanings import meanings
from ..stores._filters import MOST_VALUES
from ..version import __version__
from ._answers import PROBLEM, json
from ._documents import Problem
from ._query import Arguments

if TYPE_CHECKING:  # the table has a route that answers with this document
    from ._routes import Parameter, Route

__all__ = ["answer", "document"]

_COMPONENTS: Final = "#/components/schemas/"
_IN_PATH: Final = re.compile(r"\{(\w+)\}")
_PATH: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "ref": (
        "The conversation: provider:id, or provider/account:id, with its slash as it is or escaped.",
        {"type": "string"},
    ),
    "position": ("The position of the recording, from 0.", {"type": "integer", "minimum": 0, "maximum": 9999}),
}


async def answer(request: web.Request) -> web.StreamResponse:
    """Answer with the document."""
    from ._routes import ROUTES  # noqa: PLC0415  (it names this function)

    Arguments(request.query, ())
    return json(msgspec.json.encode(document(ROUTES)))


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of some routes."""
    each = [*routes]
    types = [kind for route in each for kind in route.returns.values() if _is_struct(kind)]
    schemas, components = msgspec.json.schema_components([Problem, *types], ref_template=_COMPONENTS + "{name}")
    schema_of = dict(zip([Problem, *types], schemas, strict=True))
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "conversations_hub",
            "version": __version__,
            "description": "Reads the conversations of a store. Nothing can be changed here.",
        },
        "paths": {route.path: {"get": _operation(route, schema_of)} for route in each},
        "components": {
            "schemas": {name: _described(name, schema, types) for name, schema in components.items()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "ticket": {"type": "apiKey", "in": "query", "name": "ticket"},
            },
        },
    }
    return msgspec.json.decode(msgspec.json.encode(document), type=dict[str, Any])  # no tuples in it


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _operation(route: Route, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    content = {
        media_type: {"schema": schema_of[kind]} if _is_struct(kind) else {}
        for media_type, kind in route.returns.items()
    }
    needs: list[dict[str, list[str]]] = [{"token": [route.scope]}] if route.scope else []
    if route.takes_ticket:
        needs.append({"ticket": []})
    return {
        "summary": route.summary,
        "operationId": _IN_PATH.sub(r"\1", route.path.strip("/")).replace("/", "_").replace(".", "_"),
        "parameters": [*map(_in_path, _IN_PATH.findall(route.path)), *map(_in_query, route.query)],
        "security": needs,
        "responses": {
            "200": {"description": route.summary, "content": content},
            "default": {
                "description": "Why there is no answer",
                "content": {PROBLEM: {"schema": schema_of[Problem]}},
            },
        },
    }


def _in_path(name: str) -> dict[str, Any]:
    meaning, schema = _PATH[name]
    return {"name": name, "in": "path", "required": True, "description": meaning, "schema": schema}


def _in_query(one: Parameter) -> dict[str, Any]:
    schema = {"type": "array", "items": one.schema, "maxItems": MOST_VALUES} if one.is_many else one.schema
    described = {"name": one.name, "in": "query", "description": one.meaning, "schema": schema}
    return described | ({"required": True} if one.is_required else {})


def _described(name: str, schema: dict[str, Any], types: Iterable[Any]) -> dict[str, Any]:
    """Return the schema of a component with the meanings of its members, and without what is only for Python."""
    kind = _structs(types).get(name)
    if kind is None:
        return schema
    said = {field: " ".join(text.split()) for field, text in meanings(kind).items()}
    dates = {field.encode_name for field in msgspec.structs.fields(kind) if "datetime" in repr(field.type)}
    properties = {
        field: (_dated(one) if field in dates else one) | ({"description": said[field]} if field in said else {})
        for field, one in schema.get("properties", {}).items()
    }
    if kind is Conversation:
        properties = {"ref": {"type": "string", "description": "What names it here."}, **properties}
        del properties["raw"]  # it has a route of its own
    description = (kind.__doc__ or "").partition("\n\n")[0]
    return {**schema, "properties": properties, "description": " ".join(description.split())}


def _dated(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "string":
        return {**schema, "format": "date-time"}
    return {name: [*map(_dated, value)] if name == "anyOf" else value for name, value in schema.items()}


def _structs(types: Iterable[Any]) -> dict[str, type[msgspec.Struct]]:
    """Return the structs that these types hold, by their names."""
    found: dict[str, type[msgspec.Struct]] = {}
    left = [*types]
    while left:
        for kind in _within(left.pop()):
            if kind.__name__ not in found:
                found[kind.__name__] = kind
                left += [field.type for field in msgspec.structs.fields(kind)]
    return found


def _within(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    if _is_struct(annotation):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _within(part)
