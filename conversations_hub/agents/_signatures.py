"""What a tool takes, as JSON Schema, read from its signature and its docstring."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final, get_type_hints

import msgspec

from ._tools import Tool

__all__ = ["arguments_of", "json_schema", "summary_of"]

_ARGUMENT: Final = re.compile(r"^ {4}(?P<name>\w+): (?P<words>.*)$", re.MULTILINE)


def summary_of(tool: Tool) -> str:
    """Return what a tool does, without its arguments."""
    return (inspect.getdoc(tool) or "").partition("\n\nArgs:\n")[0]


def arguments_of(tool: Tool) -> dict[str, str]:
    """Return what the docstring says of each argument."""
    words = (inspect.getdoc(tool) or "").partition("\n\nArgs:\n")[2]
    return {found["name"]: found["words"] for found in _ARGUMENT.finditer(words)}


def json_schema(tool: Tool) -> dict[str, Any]:
    """Return a tool as an API for language models takes it: `name`, `description`, and `parameters` as JSON Schema."""
    hints, words = get_type_hints(tool), arguments_of(tool)
    given = inspect.signature(tool).parameters
    members = {name: {**msgspec.json.schema(hints[name]), "description": words[name]} for name in given}
    required = [name for name, each in given.items() if each.default is inspect.Parameter.empty]
    return {
        "name": tool.__name__,
        "description": summary_of(tool),
        "parameters": {
            "type": "object",
            "properties": members,
            "required": required,
            "additionalProperties": False,
        },
    }
