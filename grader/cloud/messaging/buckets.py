"""S3: moto's buckets on virtual time.

What is done about moto 5.2.5: requests are rewritten to the path form of an address and signed with
a fixed name, because moto finds bucket and Region in the host and asks for permission by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from grader.cloud.aws import Reply, ServiceError
from grader.cloud.aws import Request as DoorRequest
from grader.cloud.door import latency_ms, s3_payload
from grader.cloud.moto_world import World

# Headers that are part of a call's meaning; what else a client sends stays outside. Above all the
# header by which moto would let a caller choose another account.
_KEPT = (
    "content-type",
    "content-md5",
    "content-disposition",
    "content-language",
    "cache-control",
    "expires",
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
)


class Buckets:
    """Every bucket of one account."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.names: list[str] = []

    def create(self, name: str, *, versioning: bool = False) -> None:
        """Create a bucket. ServiceError when S3 would refuse its name."""
        from moto.s3.models import FakeBucket

        if not 3 <= len(name) <= 63 or name != name.lower():
            raise ServiceError("InvalidBucketName", "The specified bucket is not valid.")
        backend = self._world.backend("s3")
        with self._world.entered():
            bucket = FakeBucket(
                name=name, account_id=self._world.account_id, region_name=self._world.region
            )
            backend.buckets[name] = bucket
            self._world.own_bucket(name)
            if versioning:
                bucket.versioning_status = "Enabled"
        self.names.append(name)

    def delete(self, name: str) -> None:
        """Delete an empty bucket."""
        with self._world.entered():
            self._world.backend("s3").delete_bucket(name)
        self.names.remove(name)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Every object of a bucket, key to content, in key order. KeyError without the bucket."""
        found = self._world.backend("s3").buckets[self.name_of(bucket)].keys
        return {str(key): bytes(found[key].value) for key in sorted(found)}

    def name_of(self, bucket: str) -> str:
        """A bucket's name, from its name or ARN. KeyError when there is no such bucket."""
        name = bucket.removeprefix("arn:aws:s3:::").partition("/")[0]
        if name not in self.names:
            raise KeyError(bucket)
        return name

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store an object. KeyError without the bucket."""
        name = self.name_of(bucket)
        with self._world.entered():
            self._world.backend("s3").put_object(name, key, body)

    def answer(self, request: DoorRequest) -> Reply:
        """S3's whole answer to a request."""
        from moto.core.request import Request
        from moto.s3.responses import S3Response

        self._world.backend("s3")
        bucket, key = request.params.get("Bucket", ""), request.params.get("Key", "")
        region = self._world.region
        query = urlsplit(request.url).query
        url = f"https://s3.{region}.amazonaws.com/{quote(bucket)}"
        if key:
            url += "/" + quote(key, safe="/~")
        if query:
            url += "?" + query
        headers = {name: value for name, value in request.headers.items() if _is_kept(name, value)}
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/{region}/s3/aws4_request"
        )
        headers["x-moto-account-id"] = self._world.account_id
        headers["Host"] = f"s3.{region}.amazonaws.com"
        sent = Request.from_primitives(request.method, url, headers, s3_payload(request))
        dispatch = S3Response.key_dispatch if key else S3Response.bucket_dispatch
        with self._world.entered():
            status, answer_headers, body = dispatch(sent, sent.raw_url, sent.headers)
        data = body.encode() if isinstance(body, str) else bytes(body or b"")
        plain = {str(name): str(value) for name, value in answer_headers.items()}
        if request.method == "HEAD":
            data = b""
        milliseconds = latency_ms("s3", request.operation)
        return Reply(int(status), plain, data, milliseconds)


def _is_kept(name: str, value: str) -> bool:
    """Whether S3 takes notice of a header; one that it cannot read counts as absent.

    https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3 for dates, section 14.2 for ranges.
    """
    if name == "range":
        return _RANGE.fullmatch(value) is not None
    if name in _DATES:
        try:
            parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return False
    return name in _KEPT or (name.startswith("x-amz-") and name not in _FRAMING)


_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})")
_DATES = ("expires", "if-modified-since", "if-unmodified-since")
# The payload arrives here without its framing, so these are no longer true of it.
_FRAMING: Mapping[str, Any] = dict.fromkeys(
    ("x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer")
)
