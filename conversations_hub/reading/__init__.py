"""What adapters read conversations with, beyond single values."""

__all__: list[str] = []
