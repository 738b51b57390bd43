"""A number or a boolean as requests and templates hold them: also as the text of one.

CloudFormation turns ``"5"`` into 5 where AWS declares a number, and ``"true"`` into true.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from typing import Any

# Far below what no float can hold.
_LARGEST = 1e300
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?")


def number(value: Any) -> int | float | None:
    """The finite number that a value is, None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if abs(value) < _LARGEST else None
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def whole(value: Any) -> int | None:
    """The whole number that a value is (5, "5" and 5.0 are 5), None when it is none."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def flag(value: Any) -> bool | None:
    """The boolean that a value is, None when it is none."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value if isinstance(value, bool) else None
