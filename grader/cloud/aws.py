"""The words of AWS that every room of the cloud speaks: a call, its answer, and a refusal.

A function's code makes a ``Call``; the door reads it as a ``Request`` of a service; what the
service answers leaves as a ``Reply``. ``ServiceError`` is an error as a service answers it to a
caller; ``Refused`` is what AWS would not accept of a template or of an argument. The account and
the Region are the ones a stack is deployed into unless the caller names others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"

Protocol = Literal["json", "query", "s3", "rest-json"]


class Refused(Exception):
    """AWS would not accept this value; ``code`` and ``message`` are AWS's where they are known.

    ``parameter`` is the CloudFormation property or API member at fault and ``resource`` the
    logical id of its resource, where they are known, so that a caller can find the learner's line.
    """

    def __init__(
        self,
        code: str,
        message: str,
        parameter: str | None = None,
        resource: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.parameter = parameter
        self.resource = resource


class ServiceError(Exception):
    """An error as a service answers it. ``members`` are further fields of the error document."""

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS call that the function's code made: an HTTP request, held at the door.

    ``number`` counts the calls of its invocation from 1; ``invocation`` counts the invocations of
    the function from 1; ``environment`` counts cold starts from 1. ``time_ms`` is virtual.
    """

    environment: int
    invocation: int
    number: int
    time_ms: int
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """The operation's name where the request carries it, otherwise method and path."""
        for name, value in self.headers.items():
            if name.lower() == "x-amz-target":
                return value.rpartition(".")[2]
        try:
            return f"{self.method} {urlsplit(self.url).path}"
        except ValueError:  # an address that is none, such as "https://[::1"
            return f"{self.method} {self.url}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the door answers: an HTTP response and how long it took in virtual milliseconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    latency_ms: int = 5


@dataclass(slots=True)
class Request:
    """One API call. ``params`` has the API's member names; header names are lower case.

    ``region`` is None where the host names none. ``service`` may be one that is not emulated.
    ``problem`` is set when the service could not read the request.
    """

    service: str
    operation: str
    params: dict[str, Any]
    region: str | None
    protocol: Protocol
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    version: str = "1.0"
    problem: ServiceError | None = None
