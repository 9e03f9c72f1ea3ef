"""The reference: all that is public is on it, and all that is not has an underscore."""

from __future__ import annotations

import ast

import pytest

from ..support.reference import PAGE, find, modules, own_names, public_names, reference

_MODULES = modules()


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == reference(), "run `make reference`"


@pytest.mark.parametrize("module", _MODULES)
def test_what_is_defined_without_an_underscore_is_public(module: str) -> None:
    assert own_names(module) <= {*public_names(module)}


@pytest.mark.parametrize("module", _MODULES)
def test_every_public_name_is_there_once_and_says_what_it_is(module: str) -> None:
    names = public_names(module)
    assert len(set(names)) == len(names)
    for name in names:
        found = find(module, name)
        if found is not None and isinstance(found.node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            assert ast.get_docstring(found.node), name


def test_no_private_module_is_on_the_page() -> None:
    assert all(not part.startswith("_") for module in _MODULES for part in module.split("."))
    assert "conversations_hub.hub" in _MODULES
    assert "conversations_hub._transport" not in _MODULES
