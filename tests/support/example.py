"""The programs in `examples/`, as modules."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from .paths import ROOT

__all__ = ["EXAMPLES", "example"]

EXAMPLES: Path = ROOT / "examples"


def example(name: str) -> ModuleType:
    """Import a program, which does not run it."""
    spec = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # where annotations are looked up
    spec.loader.exec_module(module)
    return module
