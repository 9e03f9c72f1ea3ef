"""A specification's schemas, as documents: one that has every member there can be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from conversations_hub.reading.json import Json

__all__ = ["FOLDER", "Specification", "read_document"]

FOLDER = Path(os.environ.get("SPECIFICATIONS", Path(__file__).parents[3] / "shared" / "specs"))

_Schema = Mapping[str, Any]


def read_document(path: Path) -> dict[str, Any]:
    """Return an OpenAPI document."""
    read = msgspec.json.decode if path.suffix == ".json" else msgspec.yaml.decode
    document: dict[str, Any] = read(path.read_bytes())
    return document


class Specification:
    """One OpenAPI document."""

    def __init__(self, path: Path) -> None:
        self._document: _Schema = read_document(path)
        self._named: dict[str, Json] = {}

    def answer(self, method: str, path: str) -> Json:
        """Return a document with every member that a 200 of an operation may have."""
        responses = self._document["paths"][path][method]["responses"]
        response = self._resolved(responses["200"])
        return self._whole(response["content"]["application/json"]["schema"])

    def named(self, name: str) -> Json:
        """Return a document with every member of a schema that no operation answers with."""
        return self._whole({"$ref": f"#/components/schemas/{name}"})

    def _resolved(self, schema: _Schema) -> _Schema:
        while "$ref" in schema:
            found: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            schema = found
        return schema

    def _whole(self, schema: _Schema) -> Json:
        name = schema.get("$ref")
        if name is None:
            return self._made(schema)
        if name not in self._named:
            self._named[name] = {}  # where it holds itself, it ends
            self._named[name] = self._made(self._resolved(schema))
        return self._named[name]

    def _made(self, schema: _Schema) -> Json:
        parts: list[Json] = []
        for word in ("allOf", "anyOf", "oneOf"):
            parts += [self._whole(part) for part in schema.get(word, ())]
        members = schema.get("properties")
        if members:
            parts.append({member: self._whole(inner) for member, inner in members.items()})
        if isinstance(schema.get("items"), Mapping):
            parts.append([self._whole(schema["items"])])
        whole: Json = None
        for part in parts:
            whole = _merged(whole, part)
        return "" if whole is None else whole


def _merged(one: Json, other: Json) -> Json:
    """Return what holds the members of both; the variants of a union become one."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys((*one, *other))
        return {name: _merged(one.get(name), other.get(name)) for name in names}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0] if one else None, other[0] if other else None)]
    if isinstance(other, dict | list) or one is None:
        return other if not isinstance(one, dict | list) else one
    return cast("Json", one)
