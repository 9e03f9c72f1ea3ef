"""`python -m conversations_hub` and the script `conversations-hub`: the command line, if its extra is installed."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = {"click", "rich"}


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from ._cli import cli  # noqa: PLC0415  (click comes with the extra)

        cli(prog_name="conversations-hub")
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write("The command line needs an extra: pip install 'conversations-hub[cli]'\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
