"""SNS: topics, their queue subscriptions, and what was published.

Ours, not moto's: moto signs every message with a freshly made RSA key, which costs more than the
rest of a scenario, is different in every run, and it delivers to queues whose policy forbids it.
Only queues receive anything here; a subscription by e-mail is kept, not served.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from grader.cloud.aws import ServiceError
from grader.cloud.clock import Clock
from grader.cloud.door import Entries

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MOST_MESSAGE_BYTES = 262_144
# https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MOST_ENTRIES = 10


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription. ``refusal`` says why nothing can arrive there, None when it can.

    ``policy`` is its FilterPolicy on message attributes, None when it takes every message.
    """

    arn: str
    topic_arn: str
    protocol: str
    endpoint: str
    raw: bool = False
    refusal: str | None = None
    policy: Mapping[str, Sequence[Any]] | None = None

    def takes(self, attributes: Mapping[str, Any]) -> bool:
        """Whether the policy lets a message with these attributes through.

        Every name of the policy has to be there with one of its values, or to be absent where that
        is asked for: what has no attributes passes no other policy. ServiceError where an operator
        would have to be worked out that is not played.
        https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
        """
        return all(
            any(_matches(wanted, attributes.get(name)) for wanted in values)
            for name, values in (self.policy or {}).items()
        )


def _matches(wanted: Any, attribute: Mapping[str, Any] | None) -> bool:
    if isinstance(wanted, dict) and "exists" in wanted:
        return bool(wanted["exists"]) == (attribute is not None)
    if attribute is None:
        return False
    if not isinstance(wanted, str):
        raise ServiceError("NotEmulated", f"the filter {json.dumps(wanted)} is not emulated here.")
    return wanted == attribute.get("Value")


@dataclass(frozen=True, slots=True)
class Published:
    """A message that a topic accepted."""

    id: str
    time_ms: int
    message: str
    subject: str | None
    attributes: Mapping[str, Any]


@dataclass(slots=True)
class Topic:
    """One topic and everything published to it."""

    arn: str
    name: str
    display_name: str = ""
    subscriptions: list[Subscription] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO topic."""
        return self.name.endswith(".fifo")


# "Must not include line breaks or control characters, and must be less than 100 characters long";
# exactly 100 are taken. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


class Topics:
    """Every topic of one account. ``send`` puts a message into a queue, by ARN.

    ``count`` is told of each message: the topic's name, its bytes, to how many subscriptions it was
    delivered and to how many it was not.
    """

    def __init__(
        self,
        clock: Clock,
        send: Callable[[str, str], Any],
        uuid: Callable[[], str],
        count: Callable[[str, int, int, int], None],
    ) -> None:
        self._clock = clock
        self._send = send
        self._uuid = uuid
        self._count = count
        # By ARN, in the order of creation.
        self.by_arn: dict[str, Topic] = {}
        # Messages that a subscription did not get, as sentences.
        self.undelivered: list[str] = []

    def create(self, arn: str, display_name: str = "") -> Topic:
        """Create a topic."""
        topic = Topic(arn, arn.rpartition(":")[2], display_name)
        self.by_arn[arn] = topic
        return topic

    def find(self, topic: str) -> Topic:
        """A topic by ARN or name. KeyError when there is no such topic."""
        if topic in self.by_arn:
            return self.by_arn[topic]
        for one in self.by_arn.values():
            if one.name == topic:
                return one
        raise KeyError(topic)

    def subscribe(
        self,
        topic_arn: str,
        protocol: str,
        endpoint: str,
        *,
        raw: bool = False,
        refusal: str | None = None,
        policy: Mapping[str, Sequence[Any]] | None = None,
    ) -> Subscription:
        """Add a subscription; see `Subscription`."""
        topic = self._topic(topic_arn)
        arn = f"{topic_arn}:{self._uuid()}"
        subscription = Subscription(arn, topic_arn, protocol, endpoint, raw, refusal, policy)
        topic.subscriptions.append(subscription)
        return subscription

    def publish(
        self,
        topic_arn: str,
        message: str,
        subject: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Publish and deliver; returns the message id. ServiceError as SNS's."""
        topic = self._topic(topic_arn)
        if not message:
            raise _invalid("Empty message")
        if subject is not None and not _SUBJECT.fullmatch(subject):
            raise _invalid("Subject")
        size = len(message.encode("utf-8", "surrogatepass"))
        if size > MOST_MESSAGE_BYTES:
            raise _invalid("Message too long")
        if topic.is_fifo:
            raise _invalid("FIFO topics are not emulated here")
        one = Published(self._uuid(), self._clock.now, message, subject, attributes or {})
        topic.published.append(one)
        takers = [receiver for receiver in topic.subscriptions if receiver.takes(one.attributes)]
        delivered = [self._deliver(topic, receiver, one) for receiver in takers]
        self._count(topic.name, size, sum(delivered), len(delivered) - sum(delivered))
        return one.id

    def _deliver(self, topic: Topic, subscription: Subscription, one: Published) -> bool:
        """Deliver one message to one subscription; whether it arrived."""
        if subscription.protocol != "sqs":
            return True
        if subscription.refusal is not None:
            self.undelivered.append(
                f"{topic.name} could not deliver to {subscription.endpoint.rpartition(':')[2]}: "
                f"{subscription.refusal}"
            )
            return False
        body = one.message if subscription.raw else _envelope(topic, subscription, one)
        try:
            self._send(subscription.endpoint, body)
        except (KeyError, ServiceError) as error:
            self.undelivered.append(f"{topic.name} could not deliver: {error}")
            return False
        return True

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Carry out one API call. ServiceError as SNS's."""
        return _OPERATIONS[operation](self, params)

    def _topic(self, arn: str) -> Topic:
        try:
            return self.by_arn[arn]
        except KeyError:
            raise ServiceError("NotFound", "Topic does not exist", 404) from None

    def _answer_publish(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params.get("TopicArn") or params.get("TargetArn")
        if arn is None:
            raise _invalid("Publishing to a phone number is not emulated here")
        if params.get("MessageStructure"):
            raise _invalid("MessageStructure is not emulated here; publish the text itself")
        message = str(params.get("Message", ""))
        return {"MessageId": self.publish(arn, message, params.get("Subject"), _attributes(params))}

    def _answer_batch(self, params: dict[str, Any]) -> dict[str, Any]:
        entries = params.get("PublishBatchRequestEntries") or []
        if not 1 <= len(entries) <= MOST_ENTRIES:
            code = "TooManyEntriesInBatchRequest" if entries else "EmptyBatchRequest"
            raise ServiceError(code, f"A batch has 1 to {MOST_ENTRIES} entries.")
        ids = [entry.get("Id") for entry in entries]
        if len(set(ids)) != len(ids):
            raise ServiceError(
                "BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id."
            )
        topic = self._topic(str(params.get("TopicArn")))
        done, not_done = [], []
        for entry in entries:
            try:
                message_id = self._answer_publish({**entry, "TopicArn": topic.arn})["MessageId"]
                done.append({"Id": entry["Id"], "MessageId": message_id})
            except ServiceError as error:
                not_done.append(
                    {
                        "Id": entry["Id"],
                        "Code": error.code,
                        "Message": error.message,
                        "SenderFault": "true",
                    }
                )
        return {"Successful": done, "Failed": not_done}

    def _answer_attributes(self, params: dict[str, Any]) -> dict[str, Any]:
        topic = self._topic(str(params.get("TopicArn")))
        attributes = {
            "TopicArn": topic.arn,
            "Owner": topic.arn.split(":")[4],
            "DisplayName": topic.display_name,
            "SubscriptionsConfirmed": str(len(topic.subscriptions)),
            "SubscriptionsPending": "0",
            "SubscriptionsDeleted": "0",
        }
        return {"Attributes": Entries(attributes)}

    def _answer_subscriptions(self, params: dict[str, Any]) -> dict[str, Any]:
        topic = self._topic(str(params.get("TopicArn")))
        return {
            "Subscriptions": [
                {
                    "SubscriptionArn": one.arn,
                    "Owner": topic.arn.split(":")[4],
                    "Protocol": one.protocol,
                    "Endpoint": one.endpoint,
                    "TopicArn": topic.arn,
                }
                for one in topic.subscriptions
            ]
        }

    def _answer_topics(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Topics": [{"TopicArn": arn} for arn in self.by_arn]}


_OPERATIONS: dict[str, Callable[[Topics, dict[str, Any]], dict[str, Any]]] = {
    "Publish": Topics._answer_publish,
    "PublishBatch": Topics._answer_batch,
    "GetTopicAttributes": Topics._answer_attributes,
    "ListSubscriptionsByTopic": Topics._answer_subscriptions,
    "ListTopics": Topics._answer_topics,
}


def _attributes(params: Mapping[str, Any]) -> dict[str, Any]:
    """Message attributes as name to {Type, Value}, the form in which a queue gets them."""
    found = {}
    for entry in params.get("MessageAttributes") or ():
        value = entry.get("Value") or {}
        content = value.get("StringValue", value.get("BinaryValue", ""))
        found[str(entry.get("Name"))] = {"Type": value.get("DataType", "String"), "Value": content}
    return found


def _envelope(topic: Topic, subscription: Subscription, one: Published) -> str:
    """What a queue gets without raw delivery; unsigned, as nobody here can forge it.

    https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html
    """
    moment = datetime.fromtimestamp(one.time_ms / 1000, UTC).replace(tzinfo=None)
    document: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": one.id,
        "TopicArn": topic.arn,
    }
    if one.subject:
        document["Subject"] = one.subject
    document["Message"] = one.message
    document["Timestamp"] = moment.isoformat(timespec="milliseconds") + "Z"
    document["UnsubscribeURL"] = (
        f"https://sns.{topic.arn.split(':')[3]}.amazonaws.com/?Action=Unsubscribe"
        f"&SubscriptionArn={subscription.arn}"
    )
    if one.attributes:
        document["MessageAttributes"] = dict(one.attributes)
    return json.dumps(document, indent=2)


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameter", f"Invalid parameter: {message}")
