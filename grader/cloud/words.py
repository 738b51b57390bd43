"""Words of English, and the text of others, as sentences of every wing need them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

# C0 and C1 controls but the line feed, lone surrogates, bidirectional and invisible characters. The
# two joiners stay between letters of the scripts that are spelt with them, as in Persian and Hindi.
_STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
    "|(?<![\u0600-\u0dff])[\u200c\u200d]|[\u200c\u200d](?![\u0600-\u0dff])"
)


def counted(number: int, thing: str, things: str = "") -> str:
    """``1 record``, ``2 records``; ``things`` is a plural that is not made with an s."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def nearest(name: str, known: Iterable[str], likeness: float = 0.5) -> str | None:
    """What somebody who typed ``name`` probably meant; ``likeness`` from 0 to 1 is how surely."""
    import difflib

    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)), None)


def clean(text: str) -> str:
    r"""Text without control characters: each is written out, so that no value can steer a terminal.

    Line breaks stay; tabs become spaces; a stray escape becomes ``\x1b``. Characters that reorder
    or hide text are written out too.
    """
    text = text.replace("\r\n", "\n").expandtabs(4)
    return _STEERING.sub(lambda found: _written_out(found[0]), text)


@cache
def _written_out(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
