"""What the README says is what the code says."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable

from click.testing import CliRunner

from conversations_hub._cli import cli
from conversations_hub.adapters import BUILTIN
from conversations_hub.testing import Simulator

from ..support.paths import ROOT

README = ROOT / "README.md"


def test_the_table_of_providers_is_the_one_the_command_line_prints() -> None:
    before, opened, rest = README.read_text().partition("<!-- providers -->\n")
    table, closed, after = rest.partition("<!-- /providers -->\n")
    assert (opened, closed) == ("<!-- providers -->\n", "<!-- /providers -->\n")
    assert "<!-- providers -->" not in before + after
    assert table == CliRunner().invoke(cli, ["providers", "--markdown"]).output


def _teller(told: list[str]) -> Callable[..., None]:
    def tell(*words: object) -> None:
        told.append(" ".join(map(str, words)))

    return tell


async def test_the_example_of_webhooks_reads_a_delivery() -> None:
    [example] = re.findall(r"```python\n(from datetime .*?)```", README.read_text(), re.DOTALL)
    told: list[str] = []
    simulator = Simulator(conversations=20, providers=["retell"])
    world = simulator.worlds["retell"]
    [sent, *_] = [one for truth in world.newest() for one in simulator.delivered("retell", world.id(truth))]
    body = example.replace("await request.read()", "body").replace("request.headers", "headers")
    names: dict[str, object] = {
        "body": sent.body,
        "headers": sent.headers,
        "secret": simulator.secret("retell"),
        "print": _teller(told),
    }
    exec(body, names)  # noqa: S102
    assert told


async def test_the_example_runs_as_printed() -> None:
    [example] = re.findall(r"```python\n(import asyncio\n.*?)```", README.read_text(), re.DOTALL)
    async with Simulator(conversations=20) as simulator:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-c", example, env=os.environ | simulator.environment(), stdout=subprocess.PIPE
        )
        printed, _ = await running.communicate()
    lines = printed.decode().splitlines()
    assert running.returncode == 0
    refs = rf"({'|'.join(BUILTIN)}):[\w-]+ ([\d.]+|None) \d+$"
    assert len([line for line in lines if re.match(refs, line)]) == 20
    assert [line.partition("/")[0] for line in lines[20:]] == list(BUILTIN)
