"""The page on the architecture: every path, name and layer on it exists."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..support.paths import DOCS, PACKAGE, ROOT

PAGE = (DOCS / "explanation" / "architecture.md").read_text()

_PLACE = re.compile(r"`(?P<path>[\w/]+(?:/|\.(?:py|toml)))(?::(?P<name>[\w.]+))?`")
_LAYER = re.compile(r"^- (`\w+`(?:, `\w+`)*): ", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<path>[^)#]+)\)")
_MOST_LINES = 125


def _missing(page: str) -> Iterator[str]:
    """Yield the paths, and the names in files, that are on a page and not in the package or beside it."""
    for place in _PLACE.finditer(page):
        path = next((root / place["path"] for root in (PACKAGE, ROOT) if (root / place["path"]).exists()), None)
        if path is None or (place["name"] and place["name"] not in _names_in(path)):
            yield place[0].strip("`")


@cache
def _names_in(path: Path) -> frozenset[str]:
    """Return what a module defines: `Walk`, and `Walk.pages`."""
    return frozenset(_defined(ast.parse(path.read_text()).body))


def _defined(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield within + one.name
        if isinstance(one, ast.ClassDef):
            yield from _defined(one.body, f"{one.name}.")


def test_every_path_and_name_exists() -> None:
    assert list(_missing(PAGE)) == []
    assert len(_PLACE.findall(PAGE)) > 50


def test_a_path_or_name_that_does_not_exist_is_found() -> None:
    page = "`hub/_walk.py:Walk.pages`, `hub/_walk.py:Walk.leap`, `hub/nowhere.py`, `policy/`, `nowhere/`, `Page`"
    assert list(_missing(page)) == ["hub/_walk.py:Walk.leap", "hub/nowhere.py", "nowhere/"]


def test_the_layers_are_those_that_are_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [checked] = [each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    layers = [[name for name in layer.split(" | ") if not name.startswith("(")] for layer in checked["layers"]]
    assert [re.findall(r"\w+", layer) for layer in _LAYER.findall(PAGE)] == list(filter(None, layers))


def test_the_picture_shows_every_folder_and_nothing_else_but_modules() -> None:
    picture = PAGE.partition("```\n")[2].partition("```")[0]
    drawn = {name for row in re.findall(r"^│(.*)│", picture, re.MULTILINE) for name in re.findall(r"\w+", row)}
    assert all((PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file() for name in drawn)
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert folders <= drawn


def test_every_link_leads_to_a_page() -> None:
    assert all((DOCS / "explanation" / path).is_file() for path in _LINK.findall(PAGE))


def test_it_is_one_page() -> None:
    assert len(PAGE.splitlines()) <= _MOST_LINES
