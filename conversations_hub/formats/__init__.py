"""Conversations in formats that other programs read, and back.

    from conversations_hub import formats

    formats.dump(conversation, "md")                       # bytes
    formats.load(line, "jsonl")                            # a conversation
    with open("calls.csv", "xb") as file:
        done = formats.dump_all(conversations, "csv", file.write)

`NAMES` lists the formats. A format's module is imported when its name is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._format import Dumped, Format, Loaded, NoOptions
    from ._payload import payload
    from ._run import NAMES, dump, dump_all, find, load, load_all
else:  # imported on first use, so that naming this package costs nothing else
    _HOMES = {
        "Dumped": "_format",
        "Format": "_format",
        "Loaded": "_format",
        "NAMES": "_run",
        "NoOptions": "_format",
        "dump": "_run",
        "dump_all": "_run",
        "find": "_run",
        "load": "_run",
        "load_all": "_run",
        "payload": "_payload",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module  # noqa: PLC0415

        if name in _HOMES:
            return getattr(import_module(f".{_HOMES[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "NAMES",
    "Dumped",
    "Format",
    "Loaded",
    "NoOptions",
    "dump",
    "dump_all",
    "find",
    "load",
    "load_all",
    "payload",
]
