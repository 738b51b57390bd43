"""May this role do this to that resource. Pure: documents in, a verdict with its reason out.

::

    granted = documents(stack, role)                        # or PolicyRefused, as IAM does
    evaluate(granted, "dynamodb:PutItem", table_arn)        # a Permission with a reason in words
    needs("dynamodb", "PutItem", {"TableName": "Orders"})   # the permissions a call asks for

The rooms, each importing only from those below it::

    understanding  a team's own policies, without what cannot be decided
    beyond       what calls of services beyond the account ask for
    evaluation   the decision; also with a resource's own policy, of trust, and for mappings
    calls        what each AWS call needs, and which calls function code can make at all
    policies     documents and statements, and what IAM refuses of them
    managed      AWS's managed policies
    conditions   wildcards, condition operators and keys
"""

from grader.cloud.iam.beyond import TELLING, denied, touched
from grader.cloud.iam.calls import Need, allowed_operations, delivery_needs, needs
from grader.cloud.iam.evaluation import (
    Permission,
    evaluate,
    evaluate_request,
    stream_denial,
    trust_problem,
)
from grader.cloud.iam.managed import MANAGED_POLICIES
from grader.cloud.iam.policies import (
    PolicyDocument,
    PolicyRefused,
    Statement,
    documents,
    managed,
    policy,
)
from grader.cloud.iam.understanding import understood

__all__ = [
    "MANAGED_POLICIES",
    "TELLING",
    "Need",
    "Permission",
    "PolicyDocument",
    "PolicyRefused",
    "Statement",
    "allowed_operations",
    "delivery_needs",
    "denied",
    "documents",
    "evaluate",
    "evaluate_request",
    "managed",
    "needs",
    "policy",
    "stream_denial",
    "touched",
    "trust_problem",
    "understood",
]
