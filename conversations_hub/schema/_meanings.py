"""What the fields of a struct mean: the docstrings below them."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from textwrap import dedent

__all__ = ["meanings"]


def meanings(kind: type) -> dict[str, str]:
    """Return the docstring below each field; empty if the source is not available."""
    try:
        source = ast.parse(dedent(inspect.getsource(kind)))
    except (OSError, SyntaxError):
        return {}
    return {
        field.target.id: inspect.cleandoc(said.value.value)
        for struct in source.body
        if isinstance(struct, ast.ClassDef)
        for field, said in pairwise(struct.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant) and isinstance(said.value.value, str)
    }
