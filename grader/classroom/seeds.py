"""Which seed a learner's hand-in is graded with: one for all, or one for each, from a secret.

With a seed of their own, learners see ids and amounts that nobody else sees, so that answers which
were fitted to a report cannot be passed on. The seed is no secret: each report says it, and
``labs grade N --seed S`` repeats the grade.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from grader.course.files import UsageError, reason, shown

FEWEST_BYTES, MOST_BYTES = 16, 10_000
# What SQLite keeps as an integer.
LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Seeds:
    """``seed`` for all, unless there is a ``secret``."""

    seed: int = 0
    secret: bytes | None = None

    def of(self, learner: str, lab: int) -> int:
        """The seed of a learner's lab: with a secret, 32 bits of an HMAC-SHA256 over both.

        https://www.rfc-editor.org/rfc/rfc2104
        """
        if self.secret is None:
            return self.seed
        # The same name, however the disk that it came from composes letters and accents.
        name = unicodedata.normalize("NFC", learner)
        mac = hmac.new(self.secret, f"{lab} {name}".encode(), hashlib.sha256)
        return int.from_bytes(mac.digest()[:4], "big")


def seeds(seed: int | None, secret: Path | None) -> Seeds:
    """From a seed, or from the file of a secret. UsageError for both, or for no good secret."""
    if seed is not None and secret is not None:
        raise UsageError("Give a seed for all or a secret for one each, not both.")
    if seed is not None and not -LARGEST <= seed <= LARGEST:
        raise UsageError(f"A seed has at most 63 bits; {seed} is too large.")
    if secret is None:
        return Seeds(seed or 0)
    try:
        with secret.open("rb") as file:
            content = file.read(MOST_BYTES + 1).strip()
    except OSError as error:
        raise UsageError(f"The secret {shown(secret)} cannot be read: {reason(error)}.") from None
    if not FEWEST_BYTES <= len(content) <= MOST_BYTES:
        raise UsageError(
            f"The secret {shown(secret)} has {len(content):,} bytes without the space around them;"
            f" it needs {FEWEST_BYTES} to {MOST_BYTES:,}. One is made by: openssl rand -hex 32"
        )
    return Seeds(secret=content)
