"""The variables of the frames that an error rose through, which error trackers collect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conversations_hub.errors import PartialError

from .paths import TESTS

__all__ = ["shown"]


def shown(error: BaseException, seen: set[int] | None = None) -> Iterator[str]:
    """Yield every variable of every frame behind an error, but for those of the tests, and of all it is linked with."""
    seen = set() if seen is None else seen
    if id(error) in seen:
        return
    seen.add(id(error))
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if TESTS not in Path(code.co_filename).parents:
            yield from (
                f"{code.co_qualname}: {name} = {value!r}" for name, value in traceback.tb_frame.f_locals.items()
            )
        traceback = traceback.tb_next
    linked: list[BaseException | None] = [error.__cause__, error.__context__]
    if isinstance(error, PartialError):
        linked += error.errors.values()
    for each in linked:
        if each is not None:
            yield from shown(each, seen)
