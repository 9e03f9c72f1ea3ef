"""The documentation site: its navigation, and what its pages load."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.paths import DOCS, ROOT
from ..support.site import wrong_with

_Navigation = str | list[Any] | dict[str, Any]


def _pages(nav: _Navigation) -> Iterator[str]:
    """Yield the pages of a navigation: a page, a section, or a list of both."""
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(each)


def test_the_navigation_has_every_page_once() -> None:
    nav = tomllib.loads((ROOT / ".zensical.toml").read_text())["project"]["nav"]
    assert sorted(_pages(nav)) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", sorted(path.name for path in ROOT.glob("*.md")))
def test_a_page_beside_the_site_links_to_what_is_there(page: str) -> None:
    """The builder checks the links of the site's own pages."""
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_what_is_elsewhere_or_missing_is_found(tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    (tmp_path / "style.css").write_text("@import 'https://fonts.example/a.css'; a { background: url(none.png) }")
    (tmp_path / "here.png").touch()
    (tmp_path / "guides" / "index.html").write_text(
        '<link rel="stylesheet" href="../style.css"><link rel="canonical" href="https://elsewhere.example/">'
        '<img src="../here.png"><img src="here.png"><img src="data:image/png;base64,AA">'
        '<script src="//cdn.example/x.js"></script><a href="https://elsewhere.example/"></a><pre class="mermaid"></pre>'
    )
    assert list(wrong_with(tmp_path)) == [
        "guides/index.html lacks here.png",
        "guides/index.html loads //cdn.example/x.js",
        "guides/index.html loads https://…/mermaid.js",
        "style.css loads https://fonts.example/a.css",
        "style.css lacks none.png",
    ]
