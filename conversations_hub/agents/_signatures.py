"""What a tool takes and answers, as JSON Schema, read from its signature and its docstring."""

from __future__ import annotations

import inspect
import re
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from ._tools import Tool

__all__ = ["answer_schema", "json_schema"]

_ARGUMENT: Final = re.compile(r"^ {4}(?P<name>\w+): (?P<words>.*)$", re.MULTILINE)


def _docstring_of(tool: Tool) -> tuple[str, dict[str, str]]:
    """Return what a tool does, and what its docstring says of each argument."""
    summary, _, arguments = (inspect.getdoc(tool) or "").partition("\n\nArgs:\n")
    return summary, {found["name"]: found["words"] for found in _ARGUMENT.finditer(arguments)}


def json_schema(tool: Tool) -> dict[str, Any]:
    """Return a tool as an API for language models takes it: `name`, `description`, and `parameters` as JSON Schema.

    An argument that may be left out may also be null; the schema does not say so, because not every host and model can
    read a type or null.
    """
    hints = get_type_hints(tool)
    summary, words = _docstring_of(tool)
    given = inspect.signature(tool).parameters
    members = {name: {**_schema_of(hints[name]), "description": words[name]} for name in given}
    required = [name for name, each in given.items() if each.default is inspect.Parameter.empty]
    return {
        "name": tool.__name__,
        "description": summary,
        "parameters": {
            "type": "object",
            "properties": members,
            **({"required": required} if required else {}),
            "additionalProperties": False,
        },
    }


def answer_schema(tool: Tool) -> dict[str, Any]:
    """Return what a tool answers as JSON Schema; a member that is None is left out of the answer."""
    hints = get_type_hints(get_type_hints(tool)["return"])
    members = {name: _schema_of(kind) for name, kind in hints.items()}
    return {"type": "object", "properties": members, "required": ["text"]}


def _schema_of(kind: Any) -> dict[str, Any]:
    if get_origin(kind) in {Union, UnionType}:
        kind = Union[tuple(each for each in get_args(kind) if each is not NoneType)]  # noqa: UP007  (made of a tuple)
    return {"type": "string", **msgspec.json.schema(kind)}  # of a `Literal`, it says only the words
