"""Calls of tools as a model writes them: with a name that may be wrong, and arguments that may be of any type."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

import msgspec

from ..errors import InvalidRefError
from ._answers import Answer
from ._disarm import short
from ._tools import Tool
from ._wording import nearest

__all__ = ["call", "taken"]


async def call(functions: Iterable[Tool], name: str, arguments: Mapping[str, Any]) -> Answer:
    """Call a tool as a model asked for it.

    Args:
        functions: The tools there are.
        name: The name of one.
        arguments: Its arguments, decoded from JSON.

    Raises:
        InvalidRefError: there is no such tool, or an argument is missing, unknown, or of another type.
        HubError: as the tool raises it.
    """
    by_name = {tool.__name__: tool for tool in functions}
    if name not in by_name:
        raise InvalidRefError(f"there is no tool {name[:60]!a}: choose from {', '.join(by_name)}")
    tool = by_name[name]
    hints, given = get_type_hints(tool), taken(tool, arguments)
    for each, parameter in inspect.signature(tool).parameters.items():
        if parameter.default is inspect.Parameter.empty and each not in given:
            raise InvalidRefError(f"{name} needs the argument {each}")
    return await tool(**{each: _converted(name, each, value, hints[each]) for each, value in given.items()})


def taken(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a tool that are given; an empty text is none where an argument may be left out.

    Raises:
        InvalidRefError: the tool has no such argument.
    """
    parameters = inspect.signature(tool).parameters
    for name in arguments.keys() - parameters.keys():
        close = ", ".join(nearest(name, parameters))
        raise InvalidRefError(f"{tool.__name__} has no argument {name[:60]!a}; the nearest: {close}")
    return {
        name: value
        for name, value in arguments.items()
        if value != "" or parameters[name].default is inspect.Parameter.empty
    }


def _converted(tool: str, name: str, value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        wrong = short(str(error), 200)  # it may hold what was given
    raise InvalidRefError(f"{tool}: {name}: {wrong}")
