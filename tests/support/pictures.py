"""The picture of the demo in a terminal.

    python -m tests.support.pictures docs/pictures/demo.svg

`make pictures` makes it anew, and those of the page.
"""

from __future__ import annotations

import re
import sys
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from conversations_hub._cli import demo

__all__ = ["picture_of_demo"]

_WIDTH = 96
# Without the font that Rich would have a browser load from elsewhere.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code", "ui-monospace, Menlo, Consolas"
)
_PROGRESS = re.compile(r"^\w+/default: .* conversations in .*\n", re.MULTILINE)
_TABLES = re.compile(
    r"^[^\n]*provider[^\n]*conversations[^\n]*turns.*?(?=^[^\n]*One of them)", re.DOTALL | re.MULTILINE
)
_REST = re.compile(r"\n[^\n]*The same in Python.*", re.DOTALL)


def _console() -> Console:
    return Console(record=True, width=_WIDTH, file=StringIO(), markup=False, emoji=False, highlight=False)


def picture_of_demo() -> str:
    """Run the demo, and return as SVG how much it fetched, one conversation, and what a search found."""
    printed, shown = _console(), _console()
    with patch.object(demo, "console", lambda **_: printed):
        demo.run(conversations=120, chats=None, seed=0, page=False, as_json=False)
    text = printed.export_text(styles=True)
    for left_out in (_PROGRESS, _TABLES, _REST):
        text = left_out.sub("", text)
    shown.print(Text.from_ansi(text))
    return shown.export_svg(title="make demo", code_format=_FORMAT)


if __name__ == "__main__":
    [_, path] = sys.argv
    Path(path).write_text(picture_of_demo())
