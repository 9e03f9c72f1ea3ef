"""The locks: what they pin is what the project asks for, and old versions of pip can install it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ..support.paths import ROOT

LOCKS = ["requirements.txt", "requirements-dev.txt"]


def _pins(lock: str) -> dict[str, Requirement]:
    logical = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    pins = (Requirement(line.partition("--hash")[0]) for line in logical if line.strip())
    return {canonicalize_name(pin.name): pin for pin in pins}


def _version(pin: Requirement) -> Version:
    [exactly] = pin.specifier
    assert exactly.operator == "=="
    return Version(exactly.version)


def _asked_for(lock: str) -> Iterator[tuple[str, Requirement]]:
    """What the project and the pinned packages ask for here, and who asks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    asked = [*project["project"]["dependencies"], *extras["cli"]]
    if lock == "requirements-dev.txt":
        asked += [*extras["duckdb"], *extras["ed25519"]]
        asked += [each for group in ("build", "test", "lint", "types", "docs") for each in groups[group]]
    for text in asked:
        yield "pyproject.toml", Requirement(text)
    for name, pin in _pins(lock).items():
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # pinned for another platform
        if Version(installed.version) != _version(pin):
            continue  # the tests run without the lock
        for need in map(Requirement, installed.requires or ()):
            chosen = ("", *pin.extras)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in chosen):
                yield name, need


@pytest.mark.parametrize("lock", LOCKS)
def test_all_that_is_asked_for_is_pinned_in_its_range_and_with_its_extras(lock: str) -> None:
    pins = _pins(lock)
    asked = list(_asked_for(lock))
    assert len(asked) > len(pins) // 2
    for whose, need in asked:
        pin = pins.get(canonicalize_name(need.name))
        assert pin is not None, f"{whose} asks for {need}, which {lock} does not pin"
        assert _version(pin) in need.specifier, f"{whose} asks for {need}, {lock} pins {pin}"
        # pip before 23.3 looks an extra that is not in the lock up by itself, and refuses the newest release it finds.
        assert need.extras <= pin.extras, f"{whose} asks for {need}, {lock} pins {pin}"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_none_says_where_it_was_found(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(_pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_demo_runs_on_what_development_takes() -> None:
    demo, development = map(_pins, LOCKS)
    assert {name: _version(pin) for name, pin in demo.items()} == {name: _version(development[name]) for name in demo}
    assert len(demo) < 20
