"""Counters in the text format of Prometheus. Labels are names of routes, providers and accounts, never of people."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, Literal

__all__ = ["MEDIA_TYPE", "Counters", "Family"]

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_Labels = tuple[tuple[str, str], ...]


class Family:
    """The values of one name, by their labels."""

    def __init__(self, name: str, kind: Literal["counter", "gauge", "histogram"], meaning: str) -> None:
        self.name = name
        self.kind = kind
        self.meaning = meaning
        self._values: dict[_Labels, float] = {}
        self._seen: dict[_Labels, list[int]] = {}

    def add(self, value: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        key = tuple(labels.items())
        self._values[key] = self._values.get(key, 0.0) + value

    def set(self, value: float, **labels: str) -> None:
        """Set a gauge, or a counter of what is counted elsewhere."""
        self._values[tuple(labels.items())] = value

    def clear(self) -> None:
        """Forget all values."""
        self._values.clear()

    def observe(self, value: float, **labels: str) -> None:
        """Add a value to a histogram."""
        self.add(value, **labels)
        counts = self._seen.setdefault(tuple(labels.items()), [0] * (len(_BOUNDS) + 1))
        counts[bisect_left(_BOUNDS, value)] += 1

    def lines(self) -> Iterator[str]:
        """Yield the lines that tell them."""
        yield f"# HELP {self.name} {self.meaning}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self._values.items():
            if self.kind != "histogram":
                yield f"{self.name}{_labels(labels)} {_number(value)}"
                continue
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), accumulate(self._seen[labels]), strict=True):
                yield f"{self.name}_bucket{_labels((*labels, ('le', bound)))} {count}"
            yield f"{self.name}_sum{_labels(labels)} {_number(value)}"
            yield f"{self.name}_count{_labels(labels)} {sum(self._seen[labels])}"


class Counters:
    """All families of a gateway; what is added to one application may add its own."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}
        self.requests: Family = self.family("http_requests_total", "counter", "Requests answered.")
        self.seconds: Family = self.family("http_seconds", "histogram", "Seconds until an answer was sent.")
        self.conversations: Family = self.family("store_conversations", "gauge", "Conversations in the store.")
        self.age: Family = self.family("sync_age_seconds", "gauge", "Seconds since the end of what was synced.")

    def family(self, name: str, kind: Literal["counter", "gauge", "histogram"], meaning: str) -> Family:
        """Return the family of a name, made if it is new."""
        found = self._families.get(name)
        if found is None:
            found = self._families[name] = Family(f"conversations_hub_{name}", kind, meaning)
        return found

    def text(self) -> str:
        """Return all values as text."""
        return "".join(f"{line}\n" for family in self._families.values() for line in family.lines())


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _labels(labels: _Labels) -> str:
    each = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{each}}}" if each else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
