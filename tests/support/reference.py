"""Writes `docs/reference/python.md` from the code: every public name, how it is called, and what its docstring says.

    python -m tests.support.reference

What is public is in the `__all__` of a module whose name has no underscore.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from .paths import DOCS, PACKAGE

PAGE = DOCS / "reference" / "python.md"

_HEAD = """# Reference

Every public name. Whatever is not here may change in any release. Arguments after `*` are passed by name; the types \
of arguments and results are in the code. `make reference` writes this page.
"""


class Defined(NamedTuple):
    """A definition, the module it is in, and the string that follows it, if one does."""

    module: str
    node: ast.stmt
    words: str | None


@cache
def _body(module: str) -> list[ast.stmt]:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text()).body


def _is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def modules() -> list[str]:
    """Return the public modules: no part of their names begins with an underscore."""
    found: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not any(part.startswith("_") for part in name.split(".")):
            found.append(name)
    return sorted(found)


def public_names(module: str) -> list[str]:
    """Return the `__all__` of a module."""
    for node in _body(module):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
            ):
                return list(ast.literal_eval(value))
            case _:
                continue
    return []


def own_names(module: str) -> set[str]:
    """Return the names that a module defines itself and that have no underscore."""
    return {name for node in _body(module) for name in _names(node) if not name.startswith("_")} - {"TYPE_CHECKING"}


def _names(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case _:
            return


def _with_words(body: Iterable[ast.stmt]) -> Iterator[tuple[ast.stmt, str | None]]:
    """Yield each statement with the string that follows it."""
    statements = [*body, ast.Pass()]
    for node, following in pairwise(statements):
        match following:
            case ast.Expr(value=ast.Constant(value=str() as words)):
                yield node, words
            case _:
                yield node, None


def find(module: str, name: str) -> Defined | None:
    """Return where a name of a module is defined; None if it is a module."""
    if _is_module(f"{module}.{name}") and name not in own_names(module):
        imported = next(iter(_imports(module, name)), None)
        if imported is None or imported == (module, name):
            return None
    for node, words in _with_words(_body(module)):
        if name in _names(node):
            return Defined(module, node, words)
    for there, original in _imports(module, name):
        if there.startswith("conversations_hub"):
            return find(there, original)
    raise LookupError(f"{module}.{name} is not defined anywhere")


def _imports(module: str, name: str) -> Iterator[tuple[str, str]]:
    is_package = PACKAGE.joinpath(*module.split(".")[1:]).is_dir()
    for node in (inner for statement in _body(module) for inner in ast.walk(statement)):
        if isinstance(node, ast.ImportFrom):
            parts = module.split(".") if is_package else module.split(".")[:-1]
            base = [*parts[: len(parts) - node.level + 1], *(node.module or "").split(".")] if node.level else None
            there = ".".join(filter(None, base)) if base is not None else node.module or ""
            yield from ((there, alias.name) for alias in node.names if (alias.asname or alias.name) == name)


def _paragraph(words: str | None) -> str:
    """Return the first paragraph, on one line."""
    return " ".join((words or "").strip().partition("\n\n")[0].split())


def _is(node: ast.FunctionDef | ast.AsyncFunctionDef, *decorators: str) -> bool:
    return any(ast.unparse(each).rpartition(".")[2] in decorators for each in node.decorator_list)


def _call(node: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool) -> str:
    """Return how it is called: `list(*targets, since)`."""
    given = node.args
    positional = [each.arg for each in (*given.posonlyargs, *given.args)]
    names = positional[1:] if is_method and not _is(node, "staticmethod") else positional
    if given.vararg:
        names.append(f"*{given.vararg.arg}")
    elif given.kwonlyargs:
        names.append("*")
    names += [each.arg for each in given.kwonlyargs]
    names += [f"**{given.kwarg.arg}"] if given.kwarg else []
    return f"{node.name}({', '.join(names)})"


def _line(what: str, words: str, depth: int = 0) -> str:
    return f"{'  ' * depth}- `{what}`" + (f": {words}" if words else "")


def _bases(defined: Defined) -> Iterator[Defined]:
    """Yield the bases of a class that this package defines."""
    assert isinstance(defined.node, ast.ClassDef)
    for base in defined.node.bases:
        if isinstance(base, ast.Name) and base.id in _all_names(defined.module):
            found = find(defined.module, base.id)
            if found is not None and isinstance(found.node, ast.ClassDef):
                yield found


def _all_names(module: str) -> set[str]:
    """Return the names that a module defines or imports from this package."""
    names = {name for node in _body(module) for name in _names(node)}
    for node in _body(module):
        if isinstance(node, ast.ImportFrom) and node.level:
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def _members(defined: Defined, public: set[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each public member of a class, those of private bases among them."""
    assert isinstance(defined.node, ast.ClassDef)
    for base in _bases(defined):
        if (base.module, getattr(base.node, "name", "")) not in public:
            yield from _members(base, public)
    for member, words in _with_words(defined.node.body):
        match member:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind) if not name.startswith("_"):
                yield _line(f"{name}: {ast.unparse(kind)}", _paragraph(words), 1)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)) if not name.startswith("_"):
                yield _line(f"{name} = {value!r}", _paragraph(words), 1)
            case ast.FunctionDef(name="__init__") as init:
                yield from _attributes(init)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not name.startswith("_"):
                yield from _method(member)
            case _:
                continue


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if not _is(node, "setter", "overload"):
        is_property = _is(node, "property", "cached_property")
        prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
        call = node.name if is_property else prefix + _call(node, is_method=True)
        yield _line(call, _paragraph(ast.get_docstring(node)), 1)


def _attributes(init: ast.FunctionDef) -> Iterator[str]:
    for node, words in _with_words(init.body):
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]) if name[0] != "_":
                yield _line(name, _paragraph(words), 1)
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name), annotation=kind) if (
                name[0] != "_"
            ):
                yield _line(f"{name}: {ast.unparse(kind)}", _paragraph(words), 1)
            case _:
                continue


def _describe(name: str, defined: Defined | None, public: set[tuple[str, str]]) -> Iterator[str]:
    match defined:
        case None:
            yield _line(name, "the module.")
        case Defined(node=ast.ClassDef() as node):
            made = next(
                (each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None
            )
            call = name + (_call(made, is_method=True).removeprefix("__init__") if made else "")
            yield _line(f"class {call}", _paragraph(ast.get_docstring(node)))
            yield from _members(defined, public)
        case Defined(node=(ast.FunctionDef() | ast.AsyncFunctionDef()) as node):
            prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
            yield _line(prefix + _call(node, is_method=False), _paragraph(ast.get_docstring(node)))
        case Defined(words=words):
            yield _line(name, _paragraph(words))


def _describe_once(module: str, name: str, public: set[tuple[str, str]]) -> list[str]:
    """Return the lines of a name; only the first of what the package itself takes from one of its modules."""
    found = find(module, name)
    lines = list(_describe(name, found, public))
    if module != "conversations_hub" or found is None or len(lines) == 1:
        return lines
    home = next(each for each in modules() if each != module and name in public_names(each))
    return [f"{lines[0]} See `{home}`."]


def reference() -> str:
    """Return the page."""
    named = ((module, name) for module in modules() for name in public_names(module))
    public = {(found.module, name) for module, name in named if (found := find(module, name))}
    parts = [_HEAD]
    for module in filter(public_names, modules()):
        words = ast.get_docstring(ast.Module(_body(module), [])) or ""
        names = sorted(public_names(module), key=str.lower)
        lines = [line for name in names for line in _describe_once(module, name, public)]
        parts.append(f"## `{module}`\n\n{_paragraph(words)}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(reference())
