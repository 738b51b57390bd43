"""A learner's TOML: read, or refused with a sentence, whatever the text is."""

from __future__ import annotations

import math
import tomllib
from typing import Any

# Far above what any lab asks for, and far below what Python's own printing takes.
MOST_LEVELS = 20
# What every TOML reader has to take. https://toml.io/en/v1.0.0#integer
LARGEST = 2**63


class NoToml(Exception):
    """The text is no TOML that a lab can read; the message says why."""


def read(text: str) -> dict[str, Any]:
    """The document of a TOML text. Raises NoToml.

    TOML's nan and inf become their words: nothing can be compared with them, and one of them is a
    wrong value where it stands, not a wrong document.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NoToml(str(error)) from None
    except RecursionError:
        raise NoToml("its values are nested too deeply") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise NoToml("a number in it has too many digits") from None
    level: list[Any] = [document]
    for _ in range(MOST_LEVELS):
        inside: list[Any] = []
        for holder in level:
            for key, value in list(
                holder.items() if isinstance(holder, dict) else enumerate(holder)
            ):
                if isinstance(value, float) and not math.isfinite(value):
                    holder[key] = str(value)
                elif isinstance(value, int) and not -LARGEST <= value < LARGEST:
                    raise NoToml("a whole number in it does not fit in 64 bits")
                elif isinstance(value, dict | list):
                    inside.append(value)
        level = inside
    if level:
        raise NoToml("its values are nested too deeply")
    return document
