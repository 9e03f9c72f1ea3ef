"""Tables of numbers: no wider than a terminal, and elsewhere as wide as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

__all__ = ["print_fitting", "table_of"]


def table_of(*, has_footer: bool) -> Table:
    """Return an empty table."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1), show_footer=has_footer)


def print_fitting(
    out: Console, make: Callable[[Sequence[str]], Table], names: Iterable[str], leavable: Iterable[str]
) -> None:
    """Print a table with these columns; if a terminal is too narrow, drop leavable ones in their order."""
    kept = list(names)
    dropped = [name for name in leavable if name in kept]
    while True:
        table = make(kept)
        width = Measurement.get(out, out.options.update(max_width=10_000), table).maximum
        if not out.is_terminal or width <= out.width or not dropped:
            break
        kept.remove(dropped.pop(0))
    if not out.is_terminal:
        out.width = width
    out.print(table)
