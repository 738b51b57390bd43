"""Temporary folders that do not outlive us: what a killed process has left goes at the next start.

Its maker holds a lock on a folder for as long as it lives; the kernel lets go of it however the
process ends. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

# What is being made has another name until it is locked.
_MADE, _MAKING = "labs-scratch-", "new-labs-scratch-"
_swept = False


class Scratch:
    """A fresh folder, ``path``; ``close`` (or the end of a ``with``) removes it."""

    def __init__(self) -> None:
        _sweep()
        made = Path(tempfile.mkdtemp(prefix=_MAKING))
        self._lock = _locked(made, wait=True)
        # Resolved, because the kernel's mounts know no symbolic links.
        self.path = made.rename(made.with_name(made.name.removeprefix("new-"))).resolve()

    def close(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()


def _locked(folder: Path, *, wait: bool) -> int | None:
    """A descriptor that holds the lock on ``folder``; None where somebody else has it."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        place = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(place, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(place)
        return None
    return place


def _sweep() -> None:
    """Remove what nobody holds any more, once in a process."""
    global _swept
    if _swept or not hasattr(os, "getuid"):
        return
    _swept = True
    for folder in Path(tempfile.gettempdir()).glob(f"{_MADE}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.getuid():
                continue
            place = _locked(folder, wait=False)
            if place is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(place)
