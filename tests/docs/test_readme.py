"""What the README says is what the code says."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys

from conversations_hub.adapters import BUILTIN
from conversations_hub.testing import Simulator

from ..support.paths import ROOT

README = ROOT / "README.md"


def test_every_provider_is_named_with_its_page() -> None:
    pages = re.findall(r"\]\((docs/providers/(\w+)\.md)\)", README.read_text())
    assert [name for _, name in pages if name != "index"] == list(BUILTIN)
    assert all((ROOT / path).is_file() for path, _ in pages)


def test_every_link_leads_to_a_file() -> None:
    assert [path for path in re.findall(r"\]\(([\w./-]+)\)", README.read_text()) if not (ROOT / path).exists()] == []


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
