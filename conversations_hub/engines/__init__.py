"""Reading conversations in parts, for job queues, notebooks, and engines such as Spark, dlt, Dask or Ray.

    from conversations_hub.engines import Source, plan, read

    partitions = plan(Source(targets=("vapi", "retell")), since, until)
    for conversation in read(partitions[0]):  # in any process, on any machine that has the accounts
        ...

A partition is one account and one span of time, and holds no key. Workers find the accounts in their own environment or
in a file.
"""

from __future__ import annotations

from ._partitions import Partition, Source, plan
from ._reading import OnBad, pages, read
from ._rows import COLUMNS, row

__all__ = ["COLUMNS", "OnBad", "Partition", "Source", "pages", "plan", "read", "row"]
