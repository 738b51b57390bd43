"""Lab 1's changes to describe, and values in a form in which they can be compared and told.

A *tagged* value is a Python value under its DynamoDB type, as ``lab01_driver.py`` sends it:
``{"N": "1250"}``, ``{"M": {…}}``, ``{"SET": […]}`` for each kind of set, bytes as hex digits.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# An item as DynamoDB JSON.
Image = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A change, what it is called, and what `describe` has to say about it."""

    name: str
    about: str
    what: str
    old: Image | None
    new: Image | None
    ttl: bool = False

    @property
    def changed(self) -> list[str]:
        """The attributes that differ, or all of them when one of the images is absent."""
        old, new = self.old or {}, self.new or {}
        return sorted(name for name in {**old, **new} if old.get(name) != new.get(name))


def _item(id: str, **attributes: Any) -> Image:
    kind = id.partition("#")[0]
    return {"merchant": {"S": "acme"}, "id": {"S": id}, "kind": {"S": kind}, **attributes}


EXACT = "12345678901234567890123456789012345678"
TENTH = "0.1"
SHARE = f"0.{EXACT}"


def changes() -> list[Change]:
    """Changes of every kind, in groups by what they show."""
    placed = _item("order#1", amount={"N": "1250"}, status={"S": "placed"})
    paid = _item("order#1", amount={"N": "1250"}, status={"S": "paid"}, paid={"BOOL": True})
    cart = _item("cart#1", items={"N": "3"}, expires={"N": "1793610060"})
    other = _item("cart#2", items={"N": "1"}, expires={"N": "1793600000"})
    nested = {"M": {"city": {"S": "Köln"}, "codes": {"L": [{"N": "1"}, {"NULL": True}]}}}
    return [
        Change("order#1 is placed", "plain", "created", None, placed),
        Change("order#1 is paid: two attributes change", "plain", "changed", placed, paid),
        Change(
            "order#1 loses its attribute paid",
            "plain",
            "changed",
            paid,
            {name: value for name, value in paid.items() if name != "paid"},
        ),
        Change(
            "order#1 gets a note that is null",
            "names",
            "changed",
            placed,
            {**placed, "note": {"NULL": True}},
        ),
        Change("order#1 is deleted by a user", "plain", "deleted", placed, None),
        Change(
            "order#2 with numbers of up to 38 digits",
            "exact",
            "created",
            None,
            _item("order#2", amount={"N": EXACT}, rate={"N": TENTH}, share={"N": SHARE}),
        ),
        Change(
            "order#2: the last of 38 digits changes",
            "exact",
            "changed",
            _item("order#2", amount={"N": EXACT}, rate={"N": TENTH}),
            _item("order#2", amount={"N": EXACT[:-1] + "9"}, rate={"N": TENTH}),
        ),
        Change(
            "order#3 with binary, sets, a map, a list, null and false",
            "exact",
            "created",
            None,
            _item(
                "order#3",
                seal={"B": "AAECgA=="},
                tags={"SS": ["gift", "new"]},
                sizes={"NS": ["1", "2.5"]},
                seals={"BS": ["AAE=", "/w=="]},
                address=nested,
                note={"NULL": True},
                paid={"BOOL": False},
            ),
        ),
        Change("cart#1 expires", "expiry", "expired", cart, None, ttl=True),
        Change(
            "cart#2 is deleted by a user after its time to expire", "expiry", "deleted", other, None
        ),
    ]


def tagged(image: Image | None) -> Any:
    """A DynamoDB image as the driver tags plain Python values."""
    if image is None:
        return {"NULL": True}
    return {"M": {name: _tagged(value) for name, value in image.items()}}


def _tagged(value: dict[str, Any]) -> Any:
    ((kind, held),) = value.items()
    if kind == "B":
        return {"B": base64.b64decode(held).hex()}
    if kind == "M":
        return {"M": {name: _tagged(part) for name, part in held.items()}}
    if kind == "L":
        return {"L": [_tagged(part) for part in held]}
    if kind in ("SS", "NS", "BS"):
        return {"SET": sorted((_tagged({kind[0]: part}) for part in held), key=json.dumps)}
    return {kind: held}


def rounded(value: Any) -> Any:
    """A tagged value with its floats taken for the numbers that they are nearly."""
    if isinstance(value, list):
        return [rounded(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"float"}:
        return {"N": value["float"]}
    return {name: rounded(part) for name, part in value.items()}


def same(expected: Any, observed: Any) -> bool:
    """Whether two tagged values are equal; numbers by value, the rest letter by letter."""
    if not isinstance(expected, dict) or not isinstance(observed, dict):
        return bool(expected == observed)
    if expected.keys() != observed.keys():
        return False
    if "N" in expected and isinstance(expected["N"], str):
        return Decimal(expected["N"]) == Decimal(observed["N"])
    for name, value in expected.items():
        other = observed[name]
        if isinstance(value, list) and isinstance(other, list):
            if len(value) != len(other) or not all(map(same, value, other)):
                return False
        elif not same(value, other):
            return False
    return True


KINDS = {"N": "the number", "S": "the text", "B": "the bytes (hex)", "BOOL": "the truth value"}


def in_words(tagged: Any) -> str:
    """A tagged value in words."""
    if tagged is None or tagged == {"absent": True}:
        return "absent"
    if isinstance(tagged, list):
        return ", ".join(tagged) or "no attribute"
    if not isinstance(tagged, dict):
        return str(tagged)
    ((kind, held),) = tagged.items()
    if kind == "NULL":
        return "None"
    if kind == "M":
        inner = ", ".join(f"{name}: {in_words(part)}" for name, part in sorted(held.items()))
        return f"a map of {{{inner}}}"
    if kind in ("L", "SET"):
        name = "a list" if kind == "L" else "a set"
        return f"{name} of [{', '.join(map(in_words, held))}]"
    return f"{KINDS.get(kind, 'the ' + kind)} {held}"
