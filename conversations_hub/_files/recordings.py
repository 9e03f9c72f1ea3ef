"""The paths of a conversation's recordings in a folder."""

from __future__ import annotations

import re
from hashlib import blake2b
from mimetypes import guess_extension
from pathlib import Path, PurePosixPath
from typing import Final

from ..schema import Recording
from .partial import parts_of

__all__ = ["files_of", "name_of", "names_of"]


_KNOWN: Final = frozenset({".mp3", ".wav", ".ogg", ".opus", ".m4a", ".mp4", ".webm", ".flac", ".aac", ".mkv", ".mov"})


_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")


def name_of(recording: Recording, position: int) -> str:
    """Return the path of a recording's file in the folder: readable, and unique whatever the conversation's id is.

    `position` is the recording's position in its conversation.
    """
    return names_of(recording, position)[0]


_DIGESTS: Final = (16, 6)
"""Bytes of a ref's digest in a name: today, and in the first releases, where a collision took a minute to find.

Files with the old names are not downloaded again, and `files_of` finds them."""


_FIRST_PARTS: Final = 48  # characters of a file's name in the name of its partial file, in the first releases


def names_of(recording: Recording, position: int) -> list[str]:
    """Return the paths that a recording's file may have, today's first."""
    suffix = PurePosixPath(recording.location.partition("?")[0]).suffix.lower()
    if suffix not in _KNOWN:
        suffix = guess_extension(recording.media_type or "") or ".audio"
    folder, *stems = _places(recording.ref or "")
    return [f"{folder}/{stem}-{position}{suffix}" for stem in stems]


def _places(ref: str) -> tuple[str, str, str]:
    """Return the folder of a conversation's recordings, and the start of their names: today, and in first releases."""
    provider, _, id = ref.partition(":")
    slug = _UNSAFE.sub("-", id)[:40].strip("-") or "conversation"
    today, first = (blake2b(ref.encode(errors="surrogatepass"), digest_size=size).hexdigest() for size in _DIGESTS)
    return _UNSAFE.sub("-", provider), f"{slug}-{today}", f"{slug}-{first}"


def files_of(folder: Path, ref: str) -> list[Path]:
    """Return the files of a conversation's recordings that are in a folder, partial ones included."""
    provider, today, first = _places(ref)
    subfolder = folder / provider
    whole = [path for stem in (today, first) for path in sorted(subfolder.glob(f"{stem}-*"))]
    return [*whole, *parts_of(subfolder, f"{today}-"), *parts_of(subfolder, first[:_FIRST_PARTS])]
