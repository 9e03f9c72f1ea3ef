"""A tool as one of the package `mcp`: its signature, its errors, its questions to a person and its signs of life."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from itertools import count
from typing import Annotated, Any, Final, TypeVar, get_type_hints

from .._bugs import name_of
from ..errors import HubError, InvalidRefError
from ..hub import Clock
from ._acting import Act, Acting
from ._answers import Answer
from ._calling import taken
from ._signatures import answer_schema, json_schema
from ._tools import Tool
from ._wording import in_words

__all__ = ["acting_of", "as_mcp"]

_log: Final = logging.getLogger("conversations_hub.agents")
_BEAT: Final = 1.0  # seconds between two signs of life


def as_mcp(tool: Tool, clock: Clock) -> Any:
    """Return a tool of ours as one of theirs."""
    base = import_module("mcp.server.mcpserver.tools").Tool
    error = import_module("mcp.server.mcpserver.exceptions").ToolError
    wrong = import_module("pydantic").ValidationError
    described, acting = json_schema(tool), acting_of(tool)

    async def run(self: Any, arguments: dict[str, Any], *context: Any, **more: Any) -> Any:
        try:
            # The package would drop an argument that there is not, and go on without a word.
            return await base.run(self, taken(tool, arguments), *context, **more)
        except InvalidRefError as failed:
            raise error(in_words(failed)) from None
        except error as failed:
            if not isinstance(failed.__cause__, wrong):
                raise
            mistakes = failed.__cause__.errors(include_url=False, include_input=False)
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in mistakes)
        raise error(f"{tool.__name__}: {said}. Correct the arguments, and call again.")

    acts = acting is not None
    made = type(base)("Strict", (base,), {"run": run, "__module__": __name__}).from_function(
        _call(tool, clock) if acting is None else _asking_call(tool, acting, clock),
        name=tool.__name__,
        description=described["description"],
        annotations=import_module("mcp_types").ToolAnnotations(
            read_only_hint=not acts,
            destructive_hint=acts,
            idempotent_hint=not acts,
            open_world_hint=acts or tool.__name__ == "refresh_conversation",
        ),
    )
    # Not those of the package: they cost every conversation of a model twice as much.
    made.parameters = described["parameters"]
    made.fn_metadata.output_schema = answer_schema(tool)
    return made


def acting_of(tool: Tool) -> Acting | None:
    """Return what a tool acts with; None if it only reads."""
    owner = getattr(tool, "__self__", None)
    return owner if isinstance(owner, Acting) else None


def _call(tool: Tool, clock: Clock) -> Callable[..., Awaitable[Any]]:
    async def call(context: Any, **arguments: Any) -> Any:
        return await _answered(tool.__name__, tool(**arguments), context, clock)

    return _like(call, tool, context=import_module("mcp.server.mcpserver").Context)


def _asking_call(tool: Tool, acting: Acting, clock: Clock) -> Callable[..., Awaitable[Any]]:
    """Return a tool that asks the host's user before it does anything."""
    servers, error = import_module("mcp.server.mcpserver"), import_module("mcp.server.mcpserver.exceptions").ToolError
    pydantic = import_module("pydantic")
    confirmation_type = pydantic.create_model(
        "Confirmation", yes=(bool, pydantic.Field(description="Whether to do it"))
    )
    plans: dict[str, Callable[..., Act]] = {
        "start_conversation": acting.plan_start,
        "send_message": acting.plan_send,
    }
    plan = plans[tool.__name__]

    async def ask(context: Any, **arguments: Any) -> Any:
        try:
            act = plan(**arguments)
            if context.request_state is None:  # the question is put a second time when its answer has come
                acting.count()
        except HubError as failed:
            raise error(in_words(failed)) from None
        return servers.Elicit(act.what, confirmation_type)

    async def call(context: Any, confirmation: Any, **arguments: Any) -> Any:
        if not confirmation.yes:
            raise error("The user did not say yes, so nothing was done. Do not ask again for the same thing.")
        done = acting.carry_out(plan(**arguments), "the user of the MCP host")
        return await _answered(tool.__name__, done, context, clock)

    asking = _like(ask, tool, context=servers.Context)
    asking.__annotations__["return"] = servers.Elicit[confirmation_type]
    return _like(
        call, tool, context=servers.Context, confirmation=Annotated[confirmation_type, servers.Resolve(asking)]
    )


_F = TypeVar("_F", bound=Callable[..., Any])


def _like(call: _F, tool: Tool, **more: Any) -> _F:
    """Give a function the signature of a tool, and these parameters besides."""
    hints = get_type_hints(tool)
    returned: Any = Annotated[import_module("mcp_types").CallToolResult, hints.pop("return")]
    given = inspect.signature(tool).parameters
    parameters = [
        *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in more.items()),
        *(given[name].replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in hints.items()),
    ]
    call.__name__ = tool.__name__
    call.__signature__ = inspect.Signature(parameters, return_annotation=returned)  # type: ignore[attr-defined]
    call.__annotations__ = {**more, **hints, "return": returned}
    return call


async def _answered(name: str, answer: Awaitable[Answer], context: Any, clock: Clock) -> Any:
    """Return an answer both as text and as values: some hosts show a model only the one, some only the other."""
    types = import_module("mcp_types")
    signs = asyncio.create_task(_signs_of_life(name, context, clock))
    try:
        found = await answer
    except HubError as error:
        failed = in_words(error)
    except Exception as bug:  # noqa: BLE001  (the package would hide even its name)
        _log.error("%s failed: %s", name, name_of(bug))
        failed = f"{name} has a bug: {name_of(bug)}. Other tools may work; tell the user, who may report it."
    else:
        text = types.TextContent(type="text", text=str(found))
        members = {name: value for name, value in asdict(found).items() if value is not None}
        return types.CallToolResult(content=[text], structured_content=members)
    finally:
        signs.cancel()
    raise import_module("mcp.server.mcpserver.exceptions").ToolError(failed)


async def _signs_of_life(name: str, context: Any, clock: Clock) -> None:
    """Tell a host that asked for progress that a call still runs: it would give up some time."""
    with suppress(Exception):  # a host that is gone hears nothing, and then the call ends, too
        for beats in count(1):
            await clock.sleep(_BEAT)
            await context.report_progress(beats, message=f"{name} is still at work")
