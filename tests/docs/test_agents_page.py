"""The page on agents: its tools, options, configurations, recipes, its loop, and its forty questions."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conversations_hub._cli import cli
from conversations_hub.agents import Tool, tools
from conversations_hub.agents._budget import tokens_of
from conversations_hub.agents._tools import NAMES
from conversations_hub.schema import Role

from ..support.agents import spoken, stored, turn
from ..support.paths import DOCS, TESTS
from ..support.simulated_store import filled, refs_in

PAGE = (DOCS / "guides" / "agents.md").read_text()
_WHERE = "`make agents` runs the tests with agent frameworks, which are not installed here"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def _recipe(title: str) -> str:
    found = re.search(rf"^### {title}\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_every_tool_and_option_is_on_it() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == NAMES
    table = PAGE.partition("| option of `tools` |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)[=`]|, `(\w+)", table))
    given = set(inspect.signature(tools).parameters)
    assert {one or two for one, two in named} <= given
    assert given - {one or two for one, two in named} == {"hub", "store", "count", "clock"}


def test_every_host_s_configuration_starts_the_server() -> None:
    found = [each for block in _blocks("json") for each in next(iter(json.loads(block).values())).values()]
    found += [ast.literal_eval(each) for each in re.findall(r"params=(\{.*\})", PAGE)]
    assert len(found) == 3
    for each in found:
        assert each["command"] == "conversations-hub"
        command, *arguments = each["args"]
        assert command == "mcp"
        cli.commands["mcp"].make_context("mcp", [*arguments], resilient_parsing=False)


def test_every_option_and_variable_on_it_is_one_of_the_command() -> None:
    options = {name for each in cli.commands["mcp"].params for name in each.opts}
    assert set(re.findall(r"`(--[\w-]+)", PAGE)) <= options
    variables = {each.envvar for each in cli.commands["mcp"].params if each.envvar}
    assert set(re.findall(r"CONVERSATIONS_HUB_\w+", PAGE)) == variables


def _run(code: str, **names: Any) -> dict[str, Any]:
    module = ModuleType("page_on_agents")
    vars(module).update(names)
    exec(compile(code, "agents.md", "exec", dont_inherit=True), vars(module))  # noqa: S102
    return vars(module)


# the loop


async def test_a_model_is_asked_until_it_answers(tmp_path: Path) -> None:
    functions = await stored(tmp_path, spoken("c1", turn(Role.USER, "My kettle is broken.")))
    [loop] = [block for block in _blocks("python") if "async def ask" in block]
    ask = _run(loop)["ask"]
    read: list[str] = []
    script: list[dict[str, Any]] = [
        {"call": ("list_calls", {})},
        {"call": ("list_conversations", {"provder": "tavus"})},
        {"call": ("list_conversations", {"provider": "tavsu"})},
        {"call": ("list_conversations", {"provider": "tavus"})},
        {"content": "A kettle is broken (tavus:c1#0)."},
    ]

    async def stand_in(messages: list[dict[str, Any]], schemas: list[dict[str, Any]]) -> dict[str, Any]:
        assert [each["name"] for each in schemas] == list(NAMES[:9])
        read.append(messages[-1]["content"])
        return {"role": "assistant", **script.pop(0)}

    assert await ask(stand_in, list(functions.values()), "What is broken?") == "A kettle is broken (tavus:c1#0)."
    assert read[0] == "What is broken?"
    assert read[1].startswith("there is no tool 'list_calls': choose from describe_sources, search")
    assert read[2].startswith("list_conversations has no argument 'provder'; the nearest: provider")
    assert "the nearest here: tavus" in read[3]
    assert "My kettle is broken." in read[4]
    script += [{"call": ("describe_sources", {})}] * 4
    assert await ask(stand_in, list(functions.values()), "Loop.", most_calls=3) == "There were too many calls."


# the forty questions

ROWS = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)


async def _answers(functions: Mapping[str, Tool], calls: Sequence[str]) -> list[str]:
    found: list[str] = []
    for call in calls:
        node = ast.parse(call, mode="eval").body
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        arguments = {each.arg or "": _value(each.value, found) for each in node.keywords}
        found.append(str(await functions[node.func.id](**arguments)))
    return found


def _value(node: ast.expr, answers: Sequence[str]) -> Any:
    if not isinstance(node, ast.Name):
        return ast.literal_eval(node)
    if node.id == "TURN":
        return int(re.findall(r"^- \S+?#(\d+)", answers[-1], re.MULTILINE)[0])
    refs = list(refs_in(answers[-1]))
    return refs[{"FIRST": 0, "LAST": -1}[node.id]]


def test_ag3_forty_questions_are_answered(tmp_path: Path) -> None:
    functions, _ = filled(tmp_path / "c.db")
    assert [int(number) for number, *_ in ROWS] == list(range(1, 41))
    for number, question, calls, expected in ROWS:
        answers = asyncio.run(_answers(functions, re.findall(r"`(\w+\(.*?\))`", calls)))
        assert 1 <= len(answers) <= 4
        assert sum(map(tokens_of, answers)) <= 8_000
        assert expected.replace("\\|", "|") in "\n".join(answers), (number, question)


def test_everything_that_is_tried_has_a_test() -> None:
    tried = set(re.findall(r"^\| (AG\d+) \|", PAGE, re.MULTILINE))
    named = {id for path in TESTS.rglob("test_*.py") for id in re.findall(r"def test_(ag\d+)_", path.read_text())}
    assert tried == {id.upper() for id in named} == {f"AG{number}" for number in range(1, 12)}


# the recipes


@pytest.fixture
async def functions(tmp_path: Path) -> list[Tool]:
    return list((await stored(tmp_path, spoken("c1", turn(Role.USER, "My kettle is broken.")))).values())


async def test_ag8_openai_agents(functions: list[Tool]) -> None:
    context_of = pytest.importorskip("agents.tool_context", reason=_WHERE).ToolContext
    made = {each.name: each for each in _run(_recipe("OpenAI Agents SDK"), functions=functions)["made"]}
    assert list(made) == list(NAMES[:9])
    one = made["get_conversation"]
    assert one.params_json_schema["properties"]["ref"]["description"].startswith("As in lists")
    arguments = json.dumps({"ref": "tavus:c1", "part": None, "cursor": None, "max_tokens": None})
    context = context_of(None, tool_name=one.name, tool_call_id="1", tool_arguments=arguments)
    assert "[0] user: My kettle is broken." in str(await one.on_invoke_tool(context, arguments))


async def test_ag8_pydantic_ai(functions: list[Tool]) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai", reason=_WHERE)
    made = _run(_recipe("Pydantic AI"), functions=functions)["made"]
    model = pytest.importorskip("pydantic_ai.models.test").TestModel(call_tools=["list_conversations"])
    done = await pydantic_ai.Agent(model, toolsets=[made]).run("What is broken?")
    assert "My kettle is broken." in done.output


async def test_ag8_langchain(functions: list[Tool]) -> None:
    pytest.importorskip("langchain_core", reason=_WHERE)
    made = {each.name: each for each in _run(_recipe("LangChain"), functions=functions)["made"]}
    one = made["get_conversation"]
    assert one.args["ref"]["description"].startswith("As in lists")
    assert "[0] user: My kettle is broken." in str(await one.ainvoke({"ref": "tavus:c1"}))


async def test_ag8_llamaindex(functions: list[Tool]) -> None:
    pytest.importorskip("llama_index.core", reason=_WHERE)
    made = {each.metadata.name: each for each in _run(_recipe("LlamaIndex"), functions=functions)["made"]}
    assert "[0] user: My kettle is broken." in str(await made["get_conversation"].acall(ref="tavus:c1"))


def test_the_first_example_runs(tmp_path: Path) -> None:
    names = _run(_blocks("python")[0].replace('"conversations.db"', repr(str(tmp_path / "c.db"))))
    assert [each.__name__ for each in names["functions"]] == list(NAMES[:9])
