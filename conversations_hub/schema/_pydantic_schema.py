"""How pydantic reads, writes and describes the schema.

A core schema is a plain dictionary, so pydantic is not imported here: it calls this module when it needs one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ._meanings import meanings

__all__ = ["core_schema"]


def core_schema(
    kind: type[msgspec.Struct], members: Mapping[str, Any], schema_of: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return the core schema of a struct.

    Args:
        kind: the struct.
        members: the members to write, by name, each with its type.
        schema_of: returns the core schema of a type.
    """
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    described = meanings(kind)

    def read(value: object) -> object:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            wrong = str(error)
        raise ValueError(wrong)

    def members_of(value: object) -> dict[str, Any]:
        return {name: getattr(value, name) for name in members}

    # A `ref` of its own makes it a component of an OpenAPI document.
    shape = {
        "type": "typed-dict",
        "ref": f"{kind.__module__}.{kind.__qualname__}:{id(kind)}",
        "fields": {
            name: {
                "type": "typed-dict-field",
                "schema": schema_of(type),
                "required": name in required,
                "metadata": _metadata(described.get(name)),
            }
            for name, type in members.items()
        },
        "metadata": _metadata((kind.__doc__ or "").partition("\n\n")[0], title=kind.__name__),
    }
    return {
        "type": "function-plain",
        "function": {"type": "no-info", "function": read},
        "json_schema_input_schema": shape,
        # Member by member, so that each is written as its own schema says.
        "serialization": {"type": "function-plain", "function": members_of, "return_schema": shape},
    }


def _metadata(meaning: str | None, **more: str) -> dict[str, Any]:
    return {"pydantic_js_updates": more | ({"description": meaning} if meaning else {})}
