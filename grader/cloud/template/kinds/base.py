"""How a resource gets its names: what a resource type declares, and what one resource is called.

Names that the template leaves out are made up as CloudFormation makes them up, with a hash of
stack name and logical id in the place of CloudFormation's random ending, so that the same template
gets the same names in every run.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from grader.cloud.template.kinds.schema import ByHand, schema_of, shape_of
from grader.cloud.template.shapes import Fields, Struct

PARTITION = "aws"
URL_SUFFIX = "amazonaws.com"
_NAMESPACE = uuid.UUID("6f1c2d0e-4b1a-5c55-9d5e-0d8f3a1b7c42")


@dataclass(frozen=True)
class Place:
    """Where a stack lives: its name, account and Region, and when it was created (ms)."""

    stack_name: str
    account_id: str
    region: str
    created_ms: int


@dataclass(frozen=True)
class Me:
    """One resource while its names are worked out."""

    logical_id: str
    properties: Mapping[str, Any]
    place: Place

    def given(self, *path: str) -> str | int | float | bool | None:
        """Return a property that is a single value, else None; unknown text with its marks."""
        value: Any = self.properties
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else value
        return None if isinstance(value, Mapping | list) else value

    def name(self, *path: str, limit: int = 255, lower: bool = False, suffix: str = "") -> str:
        """Return the name that a property gives, or one made up of at most ``limit`` characters."""
        given = self.given(*path)
        if isinstance(given, str) and given:
            return given
        ending = f"-{self.digest(12)}{suffix}"
        start = f"{self.place.stack_name}-{self.logical_id}"[: limit - len(ending)]
        made_up = start + ending
        return made_up.lower() if lower else made_up

    def digest(self, length: int) -> str:
        """Return ``length`` upper-case letters and digits that belong to this resource alone."""
        seed = f"{self.place.stack_name}/{self.logical_id}".encode("utf-8", "replace")
        return base64.b32encode(hashlib.sha256(seed).digest()).decode()[:length]

    def uuid(self) -> str:
        """Return a UUID that belongs to this resource alone."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.place.stack_name}/{self.logical_id}"))

    def arn(self, service: str, rest: str, *, region: bool = True, account: bool = True) -> str:
        """Return an ARN in this stack's Region and account; IAM has no Region, S3 neither."""
        where = self.place.region if region else ""
        whose = self.place.account_id if account else ""
        return f"arn:{PARTITION}:{service}:{where}:{whose}:{rest}"


Names = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class Kind:
    """A resource type: its properties and what ``Ref`` and ``Fn::GetAtt`` yield.

    ``hand`` is what its published schema does not say. ``names`` returns (what Ref yields,
    attribute → value). ``attributes`` lists the attributes that the type has here, whether or not
    one resource has them. ``named_by`` is the property that sets the physical name, None when
    there is none: two resources of a type cannot share a name. ``plays_as`` turns properties into
    a type and properties that are played in its place.
    """

    type: str
    names: Callable[[Me], Names]
    hand: ByHand
    attributes: tuple[str, ...] = ()
    named_by: str | None = None
    plays_as: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]] | None = None

    @cached_property
    def shape(self) -> Struct:
        """The shape of the resource's properties."""
        return shape_of(self.type, self.hand)

    @property
    def fields(self) -> Fields:
        """Every property of the type."""
        return self.shape.fields

    @property
    def unplayed(self) -> tuple[str, ...]:
        """Attributes that AWS has and the labs do not."""
        return tuple(
            one for one in schema_of(self.type)["attributes"] if one not in self.attributes
        )
