"""A file of accounts, readable by its owner alone, as it must be."""

from __future__ import annotations

from pathlib import Path

__all__ = ["accounts_file"]


def accounts_file(folder: Path, text: str) -> Path:
    """Write the file, and return its path."""
    path = folder / "accounts.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path
