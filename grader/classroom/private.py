"""Folders and files that only their owner can read, whatever the umask of the shell is.

What learners handed in and what they got for it concerns nobody else on the machine.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

FOLDER, FILE = 0o700, 0o600


def make_private_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing; all new ones are the owner's alone."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=FOLDER, exist_ok=True)
        one.chmod(FOLDER)


def make_private_file(path: Path) -> Path:
    """Make an empty file, the owner's alone; one that is there stays as it is. The path again."""
    if not path.exists():
        path.touch(mode=FILE)
    return path


def close_to_others(file: IO[bytes]) -> None:
    """Take the rights of others off an open file, where it is ours to do so.

    What an instructor copied into a class's folder has the rights that it had elsewhere.
    """
    if hasattr(os, "fchmod"):
        with suppress(OSError):
            if os.fstat(file.fileno()).st_mode & 0o077:
                os.fchmod(file.fileno(), FILE)


def write_private(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace a file by renaming a finished one over it; only its owner can ever read it.

    What can be made again need not be ``durable``: the disk is not waited for.
    """
    make_private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:  # mkstemp makes it 0600
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
