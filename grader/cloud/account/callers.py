"""Who calls the account, and what was refused to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grader.cloud.iam import PolicyDocument


@dataclass(frozen=True, slots=True)
class Denied:
    """Something that was refused for want of permission, or that has no place in the account.

    ``who`` is the caller: a function's role or the mapping that wanted to deliver. ``played`` is
    False for a call that AWS answers and the account does not know.
    """

    time_ms: int
    action: str
    resource: str
    who: str
    reason: str
    played: bool = True


@dataclass(slots=True)
class Caller:
    """Who calls: ``documents`` is None for the judge, who may do everything."""

    documents: Sequence[PolicyDocument] | None
    role_arn: str
    session: str

    @property
    def user_arn(self) -> str:
        """The caller as AWS names it in denials and in GetCallerIdentity."""
        account, name = self.role_arn.split(":")[4], self.role_arn.rpartition("/")[2]
        if self.documents is None:
            return self.role_arn
        return f"arn:aws:sts::{account}:assumed-role/{name}/{self.session}"
