"""Draw what a fetched conversation costs, as it stands in `results/fetch.json`, to `results/fetch.svg`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from math import log10
from typing import Any

from measured import RESULTS

NAMES = {"tavus": "Tavus", "elevenlabs": "ElevenLabs", "retell": "Retell", "vapi": "Vapi"}
"""Of nine providers: the first, and those with an SDK to compare with."""
CLIENTS = {
    "by hand": "by hand",
    "floor": "aiohttp + msgspec",
    "hub": "conversations_hub",
    "aiohttp + json": "aiohttp + json",
    "httpx + json": "httpx + json",
}
"""In this order, then the provider's own SDK."""

WIDTH, LEFT, RIGHT, TOP = 760, 168, 84, 92
ROW, BAR, GAP = 22, 14, 34
INK, FAINT, LINE, OURS, OTHERS = "#1f2933", "#66727f", "#dde3e8", "#0f7b6c", "#b4bec8"
HALO = ' stroke="#ffffff" stroke-width="5" stroke-linejoin="round" paint-order="stroke"'
"""Keeps the lines of the scale out of the words."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


def bars(found: dict[str, dict[str, dict[str, float]]]) -> Iterator[tuple[str, list[tuple[str, float, bool]]]]:
    """Yield each provider with its bars: a label, microseconds, and whether it is ours."""
    for provider, name in NAMES.items():
        costs = found[provider]
        labels = {**CLIENTS, f"{provider} SDK": f"{name} SDK"}
        yield name, [(label, costs[key]["cpu"], key == "hub") for key, label in labels.items() if key in costs]


def shown(microseconds: float) -> str:
    """Return a span for people."""
    if microseconds < 1000:
        return f"{microseconds:.0f} µs"
    milliseconds = microseconds / 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"


def text(at: tuple[float, float], words: str, size: int, colour: str, more: str = "") -> str:
    """Return a line of text."""
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{size}" fill="{colour}"{more}>{escape(words)}</text>'


def drawn(result: dict[str, Any]) -> Iterator[str]:
    """Yield the parts of the picture."""
    groups = list(bars(result["details"]["microseconds"]))
    costs = [cost for _, rows in groups for _, cost, _ in rows]
    first, last = 10.0, 10 ** (int(log10(max(costs))) + 1)
    height = TOP + sum(GAP + ROW * len(rows) for _, rows in groups) + 34
    bottom = height - 34

    def across(microseconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * log10(microseconds / first) / log10(last / first)

    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="{FONT}" role="img" aria-label="CPU time per fetched conversation, by client and provider">'
    )
    yield f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>'
    yield text((24, 36), "CPU time per fetched conversation", 18, INK, ' font-weight="600"')
    note = "40 turns, 50 at a time, from a server on the same machine · logarithmic scale · less is better"
    yield text((24, 58), note, 12, FAINT)
    tick = first
    while tick <= last:
        x = across(tick)
        yield f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="{LINE}"/>'
        label = shown(tick).replace(".0", "")
        yield text((x, bottom + 18), label, 11, FAINT, ' text-anchor="middle"')
        tick *= 10
    y = float(TOP)
    for name, rows in groups:
        yield text((24, y + 11), name, 13, INK, ' font-weight="600"')
        y += GAP - 12
        for label, cost, is_ours in rows:
            weight = ' font-weight="600"' if is_ours else ""
            middle, length = y + BAR / 2 + 4, across(cost) - LEFT
            colour = OURS if is_ours else INK
            yield text((LEFT - 10, middle), label, 12, colour, f' text-anchor="end"{weight}')
            fill = OURS if is_ours else OTHERS
            yield f'<rect x="{LEFT}" y="{y:.1f}" width="{length:.1f}" height="{BAR}" rx="2" fill="{fill}"/>'
            yield text((LEFT + length + 8, middle), shown(cost), 12, colour, f"{HALO}{weight}")
            y += ROW
        y += 12
    yield "</svg>"


def main() -> None:
    """Draw it."""
    result = json.loads((RESULTS / "fetch.json").read_text())
    (RESULTS / "fetch.svg").write_text("\n".join(drawn(result)) + "\n")


if __name__ == "__main__":
    main()
