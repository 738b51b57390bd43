"""Two words of English that sentences of every wing need."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def counted(number: int, thing: str, things: str = "") -> str:
    """``1 record``, ``2 records``; ``things`` is a plural that is not made with an s."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def nearest(name: str, known: Iterable[str], likeness: float = 0.5) -> str | None:
    """What somebody who typed ``name`` probably meant; ``likeness`` from 0 to 1 is how surely."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)), None)
