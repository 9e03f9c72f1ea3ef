"""What a conversation measures, defined alike for every provider: a number with its basis, or a reason for none.

Nothing here guesses. A provider that gives no end of a turn gets no talk time, whatever could be made up from the
number of words. `docs/reference/metrics.md` defines each metric.
"""

from __future__ import annotations

from ._definitions import METRICS, VERSION, Metric
from ._histogram import Histogram
from ._measure import Measures, measure
from ._measured import Basis, Measured
from ._summary import Figures, Summary, merge, summarize

__all__ = [
    "METRICS",
    "VERSION",
    "Basis",
    "Figures",
    "Histogram",
    "Measured",
    "Measures",
    "Metric",
    "Summary",
    "measure",
    "merge",
    "summarize",
]
