"""SQS: moto's queues on virtual time.

What is done about moto 5.2.5:

- a receive that waits would wait for real, and for ever on a clock that stands still: it looks
  once, and when there is nothing the waiting is added to the call's virtual duration;
- its response class is asked directly, without the way through HTTP;
- a message may have 1 MiB, SQS's limit since August 2025
  (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from moto.core.exceptions import ServiceException
from moto.core.utils import unix_time_millis

from grader.cloud.aws import ServiceError
from grader.cloud.door import NOT_XML
from grader.cloud.moto_world import World, moto_method

MOST_MESSAGE_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a queue. ``in_flight``: received and not yet visible again."""

    id: str
    body: str
    sent_ms: int
    receive_count: int
    in_flight: bool
    attributes: Mapping[str, Any]


class Counts(NamedTuple):
    """What could be received now, what was and is hidden, and when the oldest came (or None)."""

    visible: int
    in_flight: int
    oldest_ms: int | None


class Queues:
    """Every queue of one account."""

    def __init__(self, world: World) -> None:
        self._world = world
        # By queue name, in the order of creation.
        self.arns: dict[str, str] = {}

    def create(self, name: str, attributes: dict[str, Any]) -> None:
        """Create a queue with SQS's attributes. ServiceError when SQS would refuse them."""
        attributes = {"MaximumMessageSize": MOST_MESSAGE_BYTES, **attributes}
        with self._world.entered():
            try:
                queue = self._backend.create_queue(name, None, **attributes)
            except ServiceException as error:
                raise ServiceError(error.code, str(error.message)) from None
        self.arns[name] = queue.queue_arn

    def name_of(self, queue: str) -> str:
        """A queue's name, from its name, URL or ARN. KeyError when there is no such queue."""
        name = re.split(r"[/:]", queue)[-1]
        if name not in self.arns:
            raise KeyError(queue)
        return name

    def is_fifo(self, queue: str) -> bool:
        """Whether it is a FIFO queue."""
        return self.name_of(queue).endswith(".fifo")

    def send(self, queue: str, body: str) -> str:
        """Put a message into a standard queue; returns its id. ServiceError when it is refused."""
        from moto.sqs.models import Message as MotoMessage

        found = self._backend.queues[self.name_of(queue)]
        if len(body.encode("utf-8", "surrogatepass")) > found.maximum_message_size:
            raise ServiceError(
                "InvalidParameterValue",
                "One or more parameters are invalid. Reason: Message must be shorter than "
                f"{found.maximum_message_size} bytes.",
            )
        # moto's send_message counts every message of the queue several times over.
        message = MotoMessage(self._world.uuid(), body)
        with self._world.entered():
            message.mark_sent(found.delay_seconds)
            found.add_message(message)
        return str(message.id)

    def messages(self, queue: str) -> list[Message]:
        """What is in a queue, oldest first; looking changes nothing."""
        with self._world.entered():
            return [
                Message(
                    id=message.id,
                    body=message.body,
                    sent_ms=message.sent_timestamp,
                    receive_count=message.approximate_receive_count,
                    in_flight=not message.visible,
                    attributes=message.message_attributes,
                )
                for message in self._backend.queues[self.name_of(queue)]._messages
            ]

    def counts(self, queue: str) -> Counts:
        """How many messages there are of each kind; looking changes nothing."""
        found = self._backend.queues[self.name_of(queue)]._messages
        if not found:
            return Counts(0, 0, None)
        with self._world.entered():
            now = unix_time_millis()
        # As moto says of each message, which asks for the time anew.
        shown = [message for message in found if now > message.visible_at]
        return Counts(
            visible=sum(now >= message.delayed_until for message in shown),
            in_flight=len(found) - len(shown),
            oldest_ms=min(message.sent_timestamp for message in found),
        )

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Carry out one API call. ServiceError as SQS's."""
        from moto.sqs.responses import SQSResponse

        backend = self._backend

        class Handler(SQSResponse):  # type: ignore[misc]
            sqs_backend = backend

        if operation == "ReceiveMessage":
            params = {**params, "WaitTimeSeconds": 0}
        elif operation.startswith("SendMessage"):
            _check_bodies(params)
            params = _binaries_in(params)
        handler = Handler()
        handler.params = params
        handler.uri_match = {}
        handler.uri = f"https://sqs.{self._world.region}.amazonaws.com/"
        handler.path = "/"
        handler.current_account = self._world.account_id
        handler.region = self._world.region
        handler.headers = {}
        with self._world.entered():
            try:
                result = getattr(handler, moto_method(operation))()
                return dict(getattr(result, "result", None) or {})
            except ServiceException as error:
                raise ServiceError(error.code, str(error.message)) from None

    def wait_ms(self, params: Mapping[str, Any]) -> int:
        """How long an empty receive with these parameters takes, in milliseconds."""
        wait = params.get("WaitTimeSeconds")
        if wait is None:
            try:
                queue = self._backend.queues[self.name_of(str(params.get("QueueUrl")))]
            except KeyError:
                return 0
            wait = queue.receive_message_wait_time_seconds
        return int(wait) * 1000

    @property
    def _backend(self) -> Any:
        return self._world.backend("sqs")


def _check_bodies(params: Mapping[str, Any]) -> None:
    """A body has at least one character, and only such as XML can hold.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    entries = params.get("Entries", [params])
    for number, entry in enumerate(entries, 1):
        body = entry.get("MessageBody") or ""
        if not body:
            where = f"SendMessageBatchRequestEntry.{number}." if "Entries" in params else ""
            raise ServiceError(
                "MissingParameter", f"The request must contain the parameter {where}MessageBody."
            )
        if NOT_XML.search(body):
            raise ServiceError(
                "InvalidMessageContents", "Invalid characters found. Valid unicode is that of XML."
            )


def redrive_target(attributes: Mapping[str, Any]) -> str | None:
    """The ARN of the dead-letter queue that a queue's attributes name."""
    policy = attributes.get("RedrivePolicy")
    if isinstance(policy, str):
        policy = json.loads(policy)
    return policy.get("deadLetterTargetArn") if isinstance(policy, Mapping) else None


def _binaries_in(params: dict[str, Any]) -> dict[str, Any]:
    """Message attributes with their binary values as bytes, as moto wants them."""
    entries = params.get("Entries")
    if isinstance(entries, list):
        return {**params, "Entries": [_binaries_in(entry) for entry in entries]}
    attributes = params.get("MessageAttributes")
    if not isinstance(attributes, dict):
        return params
    read = {
        name: {**value, "BinaryValue": base64.b64decode(value["BinaryValue"])}
        if "BinaryValue" in value
        else value
        for name, value in attributes.items()
    }
    return {**params, "MessageAttributes": read}
