"""Rules of the house that no single test of behaviour would hold: what must not stand anywhere in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import conversations_hub

PACKAGE = Path(conversations_hub.__file__).parent
# The simulator plays the provider and the command line the person: both have a clock of their own.
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if not {"simulator", "_cli"} & set(path.parts)]

# They take a cancellation for a failure, and run the call again.
_FORBIDDEN_NAMES = {
    "retry_if_not_exception_type",
    "retry_unless_exception_type",
    "retry_always",
    "pickle",
    "eval",
    "exec",
}
_FORBIDDEN_KEYWORDS = {("verify", False), ("ssl", False), ("trust_env", True)}


def _offences(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _FORBIDDEN_NAMES:
                yield name
            case ast.ImportFrom(names=names) | ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in _FORBIDDEN_NAMES)
            case ast.keyword(arg=name, value=ast.Constant(value=value)) if (name, value) in _FORBIDDEN_KEYWORDS:
                yield f"{name}={value!r}"
            case ast.ExceptHandler(type=kind, body=body) if kind is None or _names_base(kind):
                if not any(
                    isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(ast.Module(body, []))
                ):
                    yield "an except that swallows a cancellation"
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq(), *_], comparators=others) if any(
                _may_be_signature(side) for side in (left, *others)
            ):
                yield "a signature compared in a time that tells of it"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio" | "time"), attr="sleep")):
                yield "a sleep outside the clock"
            case _:
                continue


def _may_be_signature(node: ast.expr) -> bool:
    """Whether it is a digest, or is named for a signature, a secret or a token; a length or a status is none."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    names |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return bool(names & {"signature", "signatures", "secret", "token", "digest", "hexdigest"}) and "len" not in names


def _names_base(kind: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "BaseException" for node in ast.walk(kind))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_f039_f113_f115k_nothing_forbidden_stands_in_the_code(path: Path) -> None:
    assert list(_offences(path.read_text())) == []


@pytest.mark.parametrize(
    "planted",
    [
        "from tenacity import retry_always",
        "tenacity.retry_unless_exception_type(int)",
        "try:\n    f()\nexcept:\n    pass",
        "try:\n    f()\nexcept BaseException:\n    pass",
        "try:\n    f()\nexcept (OSError, BaseException) as error:\n    raise ValueError from error",
        "asyncio.sleep(1)",
        "session(ssl=False)",
        "session(trust_env=True)",
        "import pickle",
        "eval('1')",
        "ok = hmac.new(key, body, 'sha256').hexdigest() == sent",
        "if signature != expected: raise ValueError",
    ],
)
def test_what_is_planted_is_found(planted: str) -> None:
    assert len(list(_offences(planted))) == 1


def test_a_re_raised_cancellation_is_no_offence() -> None:
    assert list(_offences("try:\n    f()\nexcept BaseException:\n    g()\n    raise")) == []
