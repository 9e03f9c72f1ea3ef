"""Specifications as a mock server needs them: complete, without circles, and mended where bodies would be unusable.

A mock server knows nothing but the specification: that a cursor leads somewhere, or that an id is a whole number, it
only knows if that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conversations_hub.reading.json import Json

from .coverage import SPECIFIED
from .documents import FOLDER, read_document

__all__ = ["MENDED", "MOCKED", "specification"]

_Document = dict[str, Any]

# Bolna's was put together from several sources, so its adapter does not name it as what it was checked against.
MOCKED: Mapping[str, tuple[str, ...]] = {
    **{provider: (file,) for provider, (file, _) in SPECIFIED.items()},
    "twilio": ("twilio-conversations-v1.json", "twilio-intelligence-v2.json"),
    "bolna": ("bolna-executions.json",),
}
"""By provider: the files of its specification."""

_NOTHING = {"type": "string", "nullable": True, "enum": [None]}


def _page_after(query: str) -> Mapping[str, Any]:
    """Return what a URL of the next page looks like, which half of all pages do not have."""
    url = {"type": "string", "pattern": rf"^https://[a-z]{{4}}\.example/[a-z]{{8}}\?{query}[0-9a-f]{{24}}$"}
    return {"type": None, "format": None, "nullable": None, "anyOf": [url, _NOTHING]}


_WORD_ONCE = {"type": "string", "pattern": "^[0-9a-f]{24}$"}

# A random number is an instant of the year 1973 at the latest.
_SECONDS = {"minimum": 1_420_070_400, "maximum": 1_767_225_600}
_MILLISECONDS = {"minimum": 1_420_070_400_000, "maximum": 1_767_225_600_000}

MENDED: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    # The URL of the next page has a query; a random URL has none.
    "ultravox": {"next": _page_after("cursor=")},
    # A transcript that is encrypted has no sentences, nor has one that is not completed: six in seven, at random.
    "twilio": {
        "status": {
            "$ref": None,
            "anyOf": [
                {"type": "string", "enum": ["completed"]},
                {"$ref": "#/components/schemas/transcript_enum_status"},
            ],
        },
        "next_page_url": _page_after("Page=[1-9]&PageToken=PT"),
        "encryption_credential_sid": {"pattern": None, "minLength": None, "maxLength": None, "enum": [None]},
    },
    # A page that has a successor says where it is, but a random one may not.
    "elevenlabs": {"next_cursor": {"anyOf": [{"type": "string"}]}},
    "fish_audio": {"next_cursor": {"anyOf": [{"type": "string"}]}},
    "assemblyai": {"next_cursor": {"nullable": False}},
    # A cursor leads on; the same random word may come twice.
    "openai": {"last_id": _WORD_ONCE},
    "claude": {"next_page": {"type": None, "anyOf": [_WORD_ONCE, {"type": "null"}]}},
    # Only a refusal has no data.
    "liveavatar": {"data": {"nullable": False}},
    # Ids are rows of a database, so they are whole numbers; instants are those of rows that were made in these years.
    "chatwoot": {"id": {"type": "integer"}, "created_at": _SECONDS},
    "intercom": {"created_at": _SECONDS, "updated_at": _SECONDS},
    "retell": {"start_timestamp": _MILLISECONDS},
    # A page that is not the last has rows.
    "vapi": {"results": {"minItems": 1}},
    # The call that was asked for is in the list.
    "synthflow": {"calls": {"minItems": 1}},
}
"""By provider and name of a member: what its schema says as well, or no longer, so that every body is usable."""

# Texts of random instants are otherwise all from before 1970, so none would be read.
_OPTIONS = {"minDateTime": "2015-01-01T00:00:00.000Z", "maxDateTime": "2026-01-01T00:00:00.000Z"}

_WORD = {"type": "string", "minLength": 1}


def _object(**members: Any) -> _Document:
    return {"type": "object", "properties": members, "required": [*members]}


def _retell_s_list(rows: str) -> _Document:
    # Pages of the newest version have an envelope, which the specification does not know yet.
    more = {"enum": [True, False]}
    return _object(items={"type": "array", "items": {"$ref": rows}}, has_more=more, pagination_key=_WORD)


_ADDED: Mapping[str, Mapping[tuple[str, str], _Document]] = {
    "retell": {
        ("post", "/v3/list-calls"): _retell_s_list("#/components/schemas/V2CallResponse"),
        ("post", "/v3/list-chats"): _retell_s_list("#/components/schemas/ChatResponse"),
    },
    "synthflow": {
        # The specification is of conversations alone.
        ("get", "/assistants"): _object(
            response=_object(
                assistants={"type": "array", "items": _object(model_id=_WORD), "minItems": 1, "maxItems": 3}
            )
        ),
    },
}
"""By provider: operations that its specification lacks, each with the schema of its answer."""

_SETUPS: Mapping[str, tuple[str, ...]] = {
    # How an agent is set up has many thousand members, in circles, of which conversations need the plain ones.
    "vapi": (
        *("CreateAssistantDTO", "AssistantOverrides", "CreateSquadDTO"),
        *("CreateWorkflowDTO", "WorkflowOverrides", "WorkflowUserEditable", "ImportTwilioPhoneNumberDTO"),
        *("ArtifactPlan", "CreateStructuredOutputDTO", "TransferPlan"),
    ),
}
_ASKED: Mapping[str, tuple[str, ...]] = {
    "elevenlabs": ("/v1/convai/conversations", "/v1/convai/conversations/{conversation_id}"),
    "vapi": ("/call", "/call/{id}", "/chat", "/chat/{id}", "/session", "/session/{id}"),
}
"""The paths to which a specification is cut down that is too large for a mock server."""


def specification(provider: str, *, usable: bool) -> _Document:
    """Return a provider's specification for a mock server; `usable`: mended so that all its bodies are usable."""
    document: _Document = {}
    for file in MOCKED[provider]:
        document = _joined(document, read_document(FOLDER / file))
    for (method, path), schema in _ADDED.get(provider, {}).items():
        answer = {"description": "ok", "content": {"application/json": {"schema": schema}}}
        body = {"content": {"application/json": {"schema": {"type": "object"}}}}
        asked = {"requestBody": body} if method == "post" else {}
        document["paths"][path] = {method: {**asked, "responses": {"200": answer}}}
    if provider in _ASKED:
        document = _cut_down(document, _ASKED[provider], _SETUPS.get(provider, ()))
    if usable:
        document["x-json-schema-faker"] = _OPTIONS
        for name, change in MENDED.get(provider, {}).items():
            for members in _members(document):
                if name in members:
                    members[name] = _changed(members[name], change)
    return document


def _joined(one: _Document, other: _Document) -> _Document:
    """Return a document with the operations of both; schemas of the same name are the same."""
    if not one:
        return other
    schemas = {**one["components"]["schemas"], **other["components"]["schemas"]}
    return {
        **one,
        "paths": {**one["paths"], **other["paths"]},
        "components": {**one["components"], "schemas": schemas},
    }


def _members(node: Json) -> Iterator[_Document]:
    """Find the members of every object that a document describes."""
    if isinstance(node, dict):
        members = node.get("properties")
        if isinstance(members, dict):
            yield members
        for inner in node.values():
            yield from _members(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _members(inner)


def _changed(schema: _Document, change: Mapping[str, Any]) -> _Document:
    return {word: value for word, value in {**schema, **change}.items() if value is not None}


def _cut_down(document: _Document, paths: tuple[str, ...], setups: tuple[str, ...]) -> _Document:
    """Return a document with the given paths alone, and with what their answers need, without circles."""
    schemas: _Document = document["components"]["schemas"]
    for name in setups:
        plain = {
            member: schema
            for member, schema in schemas[name]["properties"].items()
            if schema.get("type") in {"string", "number", "boolean"}
        }
        schemas[name] = {"type": "object", "properties": plain}
    kept: dict[str, Json] = {path: {"get": document["paths"][path]["get"]} for path in paths}
    needed: dict[str, _Document | None] = {}
    _open_circles(kept, schemas, needed)
    return {"openapi": document["openapi"], "info": document["info"], "paths": kept, "components": {"schemas": needed}}


# Prism stumbles over an empty object in a list in a list.
_SOMETHING: dict[str, Json] = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}


def _open_circles(node: Json, schemas: _Document, needed: dict[str, _Document | None]) -> None:
    """Collect what a node refers to; a reference that leads back to where it came from allows anything instead."""
    if isinstance(node, list):
        for inner in node:
            _open_circles(inner, schemas, needed)
    if not isinstance(node, dict):
        return
    name = str(node.get("$ref", "")).removeprefix("#/components/schemas/")
    if not name:
        if node.get("type") == "object" and not node.get("properties"):
            node |= _SOMETHING
        for inner in list(node.values()):
            _open_circles(inner, schemas, needed)
    elif name not in needed:
        needed[name] = None
        _open_circles(schemas[name], schemas, needed)
        needed[name] = schemas[name]
    elif needed[name] is None:
        node.clear()
        node |= _SOMETHING
