"""The pages that are made from the code: they say what it says, and all that is public is on them."""

from __future__ import annotations

import click
import pytest

from conversations_hub._cli import cli
from conversations_hub.adapters import BUILTIN, load

from ..support import command_reference
from ..support.paths import DOCS
from ..support.provider_pages import title_of

pytest.importorskip("griffe", reason="`make newest` and `make lowest` do without it")

from ..support.generated import pages
from ..support.python_reference import modules, names_of, own_names, read

PYTHON = DOCS / "reference" / "python"


def test_every_page_is_what_the_code_says() -> None:
    made = dict(pages())
    assert {path for path, text in made.items() if not path.is_file() or path.read_text() != text} == set(), (
        "run `make reference`"
    )
    assert {*PYTHON.glob("*.md")} <= made.keys(), "run `make reference`"


def test_what_is_defined_without_an_underscore_is_public() -> None:
    hidden = {name: own_names(module) - {*names_of(module)} for name, module in modules().items()}
    assert {name: names for name, names in hidden.items() if names} == {}


def test_every_public_name_is_there_once_and_says_what_it_is() -> None:
    for path, module in modules().items():
        names = names_of(module)
        assert len(set(names)) == len(names)
        things = {name: read(module, name) for name in names}
        silent = [name for name, each in things.items() if each.docstring is None and not each.is_attribute]
        assert not silent, path


def test_no_private_module_is_on_a_page() -> None:
    assert all(not part.startswith("_") for name in modules() for part in name.split("."))
    assert "conversations_hub.hub" in modules()
    assert "conversations_hub._transport" not in modules()


def test_signatures_say_what_is_by_name_and_what_is_inherited() -> None:
    hub = (PYTHON / "hub.md").read_text()
    assert "async def end(ref: str, *, profile: ProfileName | Profile | None = None) -> None" in hub
    assert "| `InvalidRefError` |" in hub
    assert "- `to_json() -> str`: " in (PYTHON / "schema.md").read_text()
    assert "Based on `ProviderError`." in (PYTHON / "errors.md").read_text()


def test_every_command_and_option_is_on_the_page() -> None:
    page = command_reference.page()
    for name, command in cli.commands.items():
        assert f"\n## {name}\n" in page
        shown = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
        assert all(f"`{option.opts[-1]}" in page for option in shown)


@pytest.mark.parametrize("provider", BUILTIN)
def test_a_provider_s_page_explains_its_settings_and_has_notes(provider: str) -> None:
    adapter = load(provider)
    assert title_of(adapter).lower().startswith(provider.replace("_", " "))
    assert adapter.notes
    assert all(note.endswith(".") for note in adapter.notes)
    assert [name for name in adapter.settings if f"`{name}`" not in " ".join(adapter.notes)] == []
