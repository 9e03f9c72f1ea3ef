"""The vocabulary of adapters: readers of single values, JSON, refusals, cursors and participants."""

__all__: list[str] = []
