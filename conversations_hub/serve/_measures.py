"""What one conversation measures."""

from __future__ import annotations

from aiohttp import web

from ..metrics import measure
from ..stores import StoreReader
from . import _answers
from ._conversations import ref_in
from ._documents import Measurement, Measurements
from ._query import Arguments
from ._service import SERVICE, TOKEN, encoded

__all__ = ["measures"]


async def measures(request: web.Request) -> web.StreamResponse:
    """Answer with every metric of a conversation: its value and where that comes from, or why there is none."""
    service = request.config_dict[SERVICE]
    Arguments(request.query, ())
    ref, show = ref_in(request), service.shown.to(request[TOKEN].scopes)

    def work(reader: StoreReader) -> bytes:
        found = measure(show(reader.get(ref)))
        return encoded(Measurements(ref=ref, measures={name: Measurement.of(name, one) for name, one in found.items()}))

    return _answers.json(await service.pool.ask(work))
