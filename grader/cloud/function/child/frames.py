"""The language of the door: length-framed messages between the judge and a function's process.

A frame is two unsigned 32-bit lengths (big-endian), a JSON object (the header) and raw bytes (the
body). There is no pickle and no nesting to walk, so what the other side sends can at worst fail to
parse. Both sides use this file; it needs the standard library only.
"""

from __future__ import annotations

import json
import struct
from typing import Any

LENGTHS = struct.Struct(">II")

# A header carries a URL and HTTP headers, never data.
MAX_HEADER_BYTES = 256 * 1024
# The largest request of the services here is DynamoDB's BatchWriteItem with 16 MB; S3 takes parts
# of up to 5 GB, and a lab has no use for one above this.
MAX_BODY_BYTES = 24 * 1024 * 1024
# A frame arrives in pieces of thousands of bytes each. More pieces than one for so many bytes (and
# a few) are somebody who sends it in crumbs to keep the reader busy.
BYTES_A_PIECE = 256
PIECES = 256

Frame = tuple[dict[str, Any], bytes]


class BadFrame(Exception):
    """The bytes are not a frame, or it is larger than a frame may be."""


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """One frame as bytes. BadFrame when it is larger than the other side would take."""
    head = json.dumps(header, separators=(",", ":")).encode()
    if len(head) > MAX_HEADER_BYTES or len(body) > MAX_BODY_BYTES:
        raise BadFrame(f"{len(head)} bytes of header and {len(body)} bytes of body are too many")
    return LENGTHS.pack(len(head), len(body)) + head + body


def lengths(prefix: bytes) -> tuple[int, int]:
    """Header and body length (bytes) from a frame's first eight bytes; BadFrame above the caps."""
    head, body = LENGTHS.unpack(prefix)
    if head > MAX_HEADER_BYTES or body > MAX_BODY_BYTES:
        raise BadFrame(f"a frame of {head} and {body} bytes is above the cap")
    return head, body


def unpack(head: bytes, body: bytes) -> Frame:
    """Header and body of one frame; BadFrame when the header is not a JSON object."""
    try:
        header = json.loads(head)
    except (ValueError, RecursionError) as problem:
        raise BadFrame(f"the header is not JSON: {problem}") from None
    if not isinstance(header, dict):
        raise BadFrame("the header is not an object")
    return header, body


class Parser:
    """Turns a stream of bytes into frames, for a reader that must never block."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._pieces = 0

    def feed(self, data: bytes) -> None:
        """Add what has arrived. BadFrame when it comes in crumbs."""
        self._bytes += data
        self._pieces += 1
        if self._pieces > PIECES + len(self._bytes) // BYTES_A_PIECE:
            raise BadFrame(f"a frame in {self._pieces} pieces")

    def take(self) -> Frame | None:
        """The next whole frame, or None until more has arrived. BadFrame when it cannot be one."""
        if len(self._bytes) < LENGTHS.size:
            return None
        head, body = lengths(bytes(self._bytes[: LENGTHS.size]))
        end = LENGTHS.size + head + body
        if len(self._bytes) < end:
            return None
        middle = LENGTHS.size + head
        with memoryview(self._bytes) as view:
            frame = unpack(bytes(view[LENGTHS.size : middle]), bytes(view[middle:end]))
        del self._bytes[:end]
        self._pieces = 0
        return frame
