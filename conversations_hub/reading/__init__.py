"""Tools for adapters to read conversations with."""

__all__: list[str] = []
