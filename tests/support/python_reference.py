"""The reference of the Python API, from the code: every public name, its signature, and what its docstring says.

What is public is in the `__all__` of a module whose name has no underscore. griffe reads the code, and runs none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from textwrap import dedent, indent
from typing import cast

import griffe

from .paths import ROOT

__all__ = ["modules", "names_of", "own_names", "pages", "read"]

PACKAGE = "conversations_hub"

_INTRODUCTION = """# Python

Every public name, module by module. Names and modules that begin with an underscore are private and may change in any \
release. A public name that moves keeps its old name for at least one minor release, with a `DeprecationWarning`.

| module | what it is |
| --- | --- |
"""
_WIDTH = 100
_CODE = re.compile(r"(?:^ {4}.+(?:\n|\Z)|^\n(?= {4}))+", re.MULTILINE)


@cache
def _package() -> griffe.Module:
    loaded = griffe.load(PACKAGE, search_paths=[ROOT], docstring_parser=griffe.Parser.google)
    return cast("griffe.Module", loaded)


@cache
def modules() -> Mapping[str, griffe.Module]:
    """Return the public modules by name: no part of their names begins with an underscore."""
    return {each.path: each for each in sorted(_within(_package()), key=lambda each: each.path)}


def _within(module: griffe.Module) -> Iterator[griffe.Module]:
    yield module
    for name, each in module.modules.items():
        if not name.startswith("_") and not each.is_alias:
            yield from _within(each)


def names_of(module: griffe.Module) -> list[str]:
    """Return the `__all__` of a module, in the order of the alphabet."""
    return sorted(map(str, module.exports or ()), key=str.lower)


def own_names(module: griffe.Module) -> set[str]:
    """Return the names that a module defines itself and that have no underscore."""
    return {
        name
        for name, each in module.members.items()
        if each.runtime and not (name.startswith("_") or each.is_alias or each.is_module)
    } - {"TYPE_CHECKING"}


def read(module: griffe.Module, name: str) -> griffe.Object:
    """Return what a public name stands for, wherever it is defined."""
    found = module[name]
    return cast("griffe.Object", found.final_target if isinstance(found, griffe.Alias) else found)


@cache
def _public() -> frozenset[str]:
    """Return where the public names are defined."""
    return frozenset(read(module, name).path for module in modules().values() for name in names_of(module))


# a page for each module of the package


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page."""
    tops = [PACKAGE, *(name for name in modules() if name.count(".") == 1)]
    rows = (
        f"| [`{name}`]({_page_of(name)}) | {_summary(modules()[name])} |"
        for name in tops
        if name != PACKAGE and any(map(names_of, _of_page(name)))
    )
    shortcuts = "\n".join(_shortcut(modules()[PACKAGE], name) for name in names_of(modules()[PACKAGE]))
    yield (
        "index.md",
        f"{_INTRODUCTION}{_lines(rows)}\n## `{PACKAGE}`\n\nThe package itself has these:\n\n{shortcuts}\n",
    )
    for top in tops[1:]:
        parts = [_module(module, top) for module in _of_page(top) if names_of(module)]
        if parts:
            yield _page_of(top), "\n".join(parts)


def _page_of(module: str) -> str:
    return module.split(".")[1] + ".md"


def _of_page(top: str) -> list[griffe.Module]:
    return [module for name, module in modules().items() if name == top or name.startswith(f"{top}.")]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _summary(thing: griffe.Object) -> str:
    """Return the first paragraph of what is said about a thing, on one line."""
    return " ".join((thing.docstring.value if thing.docstring else "").partition("\n\n")[0].split())


def _shortcut(module: griffe.Module, name: str) -> str:
    thing = read(module, name)
    if thing.is_module:
        return f"- [`{name}`]({_page_of(thing.path)}), the module"
    home = next(path for path, each in modules().items() if path != module.path and name in names_of(each))
    return f"- [`{name}`]({_page_of(home)}#{_anchor(name)})" + (f": {_summary(thing)}" if thing.docstring else "")


def _anchor(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum() or each == "_")


def _module(module: griffe.Module, top: str) -> str:
    depth = 1 if module.path == top else 2
    head = f"{'#' * depth} `{module.path}`\n\n{_said(module)}"
    if module.path.startswith(f"{PACKAGE}.adapters."):  # the pages of the providers say more
        return head + "\n" + _lines(_brief(name, read(module, name)) for name in names_of(module))
    return "\n".join([head, *(_described(name, read(module, name), depth + 1) for name in names_of(module))])


def _brief(name: str, thing: griffe.Object) -> str:
    call = f"{name}({', '.join(map(_starred, thing.parameters))})" if isinstance(thing, griffe.Function) else name
    return f"- `{call}`" + (f": {_summary(thing)}" if thing.docstring else "")


# a name


def _described(name: str, thing: griffe.Object, depth: int) -> str:
    head = f"{'#' * depth} `{name}`\n"
    match thing:
        case griffe.Class():
            return "\n".join([head, _class(name, thing, depth)])
        case griffe.Function():
            return "\n".join([head, _code(_signatures(name, thing)), _said(thing)])
        case griffe.Attribute():
            return "\n".join([head, _code([_value(name, thing)]), _said(thing)])
        case _:
            return f"{head}\nThe module.\n"


def _code(lines: Iterable[str]) -> str:
    return f"```python\n{_lines(lines)}```\n"


def _class(name: str, cls: griffe.Class, depth: int) -> str:
    made = cls.members.get("__init__")
    bases = [each.name for each in cls.resolved_bases if each.path in _public()]
    call = _signature(made, name) if isinstance(made, griffe.Function) else name
    parts = [_code([f"class {call}"])]
    parts += [f"Based on {', '.join(f'`{each}`' for each in bases)}.\n"] if bases else []
    parts.append(_said(cls))
    members = list(_members(cls))
    listed = [each for each in members if isinstance(each, griffe.Attribute) or each.parent is not cls]
    parts += [_lines(map(_member, listed))] if listed else []
    for each in members:
        if isinstance(each, griffe.Function) and each not in listed:
            parts += [f"{'#' * (depth + 1)} `{name}.{each.name}`\n", _code(_signatures(each.name, each)), _said(each)]
    return "\n".join(parts)


def _members(cls: griffe.Class) -> Iterator[griffe.Attribute | griffe.Function]:
    """Yield the public members of a class, those of private bases among them."""
    for base in cls.resolved_bases:
        if base.path not in _public() and isinstance(base, griffe.Class):
            yield from _members(base)
    for name, each in cls.members.items():
        if isinstance(each, griffe.Attribute | griffe.Function) and not name.startswith("_"):
            yield each


def _member(each: griffe.Attribute | griffe.Function) -> str:
    shown = _signature(each, each.name) if isinstance(each, griffe.Function) else _value(each.name, each)
    words = _said(each).strip()
    return f"- `{shown}`" + (f": {indent(words, '  ').strip()}" if words else "")


def _value(name: str, value: griffe.Attribute) -> str:
    """Return a value as it is declared, without one that is long."""
    declared = name if value.annotation is None else f"{name}: {value.annotation}"
    is_made_by_init = "instance-attribute" in value.labels and "class-attribute" not in value.labels
    if value.value is None or is_made_by_init:
        return declared
    given = _quoted(value.value)
    whole = f"{declared} = {given}"
    return declared if "field(" in given or "\n" in given or len(whole) > _WIDTH else whole


def _signatures(name: str, function: griffe.Function) -> list[str]:
    several = getattr(function.parent, "overloads", {}).get(function.name, [])
    return [_prefix(each) + _signature(each, name) for each in several or [function]]


def _prefix(function: griffe.Function) -> str:
    decorator = "".join(f"@{each}\n" for each in ("classmethod", "staticmethod") if each in function.labels)
    return decorator + ("async def " if "async" in function.labels else "def ")


def _signature(function: griffe.Function, name: str) -> str:
    """Return how a function is called, on one line or with a line for each parameter."""
    is_method = isinstance(function.parent, griffe.Class) and "staticmethod" not in function.labels
    parameters = list(_parameters(list(function.parameters)[1 if is_method else 0 :]))
    result = f" -> {function.returns}" if function.returns is not None and function.name != "__init__" else ""
    line = f"{name}({', '.join(parameters)}){result}"
    if len(line) <= _WIDTH:
        return line
    return f"{name}(\n{''.join(f'    {each},{chr(10)}' for each in parameters)}){result}"


def _parameters(parameters: list[griffe.Parameter]) -> Iterator[str]:
    by_name = False
    for position, each in enumerate(parameters):
        if each.kind is griffe.ParameterKind.keyword_only and not by_name:
            by_name = True
            yield "*"
        by_name = by_name or each.kind is griffe.ParameterKind.var_positional
        starred = _starred(each)
        kind = f": {each.annotation}" if each.annotation is not None else ""
        default = f" = {_quoted(each.default)}" if each.default is not None and starred == each.name else ""
        yield f"{starred}{kind}{default}"
        following = parameters[position + 1 : position + 2]
        only = griffe.ParameterKind.positional_only
        if each.kind is only and (not following or following[0].kind is not only):
            yield "/"


def _quoted(value: object) -> str:
    """Return a value as the project writes it, with double quotes."""
    text = str(value)
    return text if '"' in text else text.replace("'", '"')


def _starred(parameter: griffe.Parameter) -> str:
    match parameter.kind:
        case griffe.ParameterKind.var_positional:
            return f"*{parameter.name}"
        case griffe.ParameterKind.var_keyword:
            return f"**{parameter.name}"
        case _:
            return parameter.name


# what is said


def _said(thing: griffe.Object) -> str:
    """Return a docstring as Markdown."""
    parts: list[str] = []
    for section in thing.docstring.parsed if thing.docstring else ():
        match section:
            case griffe.DocstringSectionParameters(value=parameters):
                rows = "".join(f"| `{each.name}` | {_cell(each.description)} |\n" for each in parameters)
                parts.append(f"| argument | what it is |\n| --- | --- |\n{rows}")
            case griffe.DocstringSectionRaises(value=raised):
                rows = "".join(f"| `{each.annotation}` | {_cell(each.description)} |\n" for each in raised)
                parts.append(f"| raises | when |\n| --- | --- |\n{rows}")
            case griffe.DocstringSectionText(value=text):
                parts += [f"{_paragraph(each)}\n" for each in _CODE.sub(_fenced, text).strip().split("\n\n")]
            case _:
                raise ValueError(f"a docstring of {thing.path} has a section of another kind: {section.kind}")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _fenced(found: re.Match[str]) -> str:
    """Return an indented example as a block of Python."""
    return f"\n```python\n{dedent(found[0]).strip()}\n```\n"


def _paragraph(text: str) -> str:
    """Return a paragraph; a drawing stays as it is."""
    if any(mark in text for mark in "├│└"):
        return f"```text\n{text}\n```"
    return text
