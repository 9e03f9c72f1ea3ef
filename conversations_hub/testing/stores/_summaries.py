"""What a summary says, in a form to compare: not in which order, nor how a computer rounds a sum."""

from __future__ import annotations

from typing import Any

from ...metrics import Figures, Summary

__all__ = ["figures"]


def figures(summary: Summary) -> dict[str, Any]:
    """Return all that a summary says."""
    return {
        **{name: getattr(summary, name) for name in ("group", "conversations", "costs", "success", "sentiments")},
        **{name: _figures(each) for name, each in summary.metrics.items()},
    }


def _figures(one: Figures) -> dict[str, Any]:
    spread = one.histogram
    return {
        **{name: getattr(one, name) for name in ("n", "min", "max", "bases", "missing", "lacking")},
        "sum": f"{one.sum:.9g}",
        "spread": (sorted(spread.exact), spread.zeros, spread.buckets),
        "percentiles": [one.percentile(percent) for percent in (1, 50, 95, 99)],
    }
