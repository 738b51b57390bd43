"""Close the course's sources to everybody but their owner, but for what functions run on.

A bundle does this once it is installed. The processes of functions start from
``cloud/function/child``, so that folder stays readable, and the way to it passable.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from grader.course.files import PACKAGE

OPEN = PACKAGE / "cloud" / "function" / "child"


def close(package: Path = PACKAGE, stays: Path = OPEN) -> None:
    """Take away everybody's rights below ``package`` but to pass through to ``stays``."""
    for path in _below(package):
        inside = path == stays or stays in path.parents
        others = 0o055 if inside else 0o011 if path in stays.parents else 0
        own = path.stat().st_mode & 0o700
        path.chmod(own | (others if path.is_dir() else others & 0o044))


def _below(folder: Path) -> Iterable[Path]:
    for where, _, names in os.walk(folder):
        yield Path(where)
        yield from (Path(where) / name for name in names)


if __name__ == "__main__":
    close()
