"""DynamoDB's expressions, read and carried out over plain DynamoDB JSON.

Pure: nothing here knows tables, requests or clocks. From text to effect::

    words        the reserved words
    grammar      text to syntax: one tokenizer, three small grammars, no recursion on what is sent
    paths        document paths: reading, projecting, which two may not stand together
    typed        attribute values: one form for each, order, arithmetic, size
    placeholders what one request defines as #names and :values, and what it used of it
    condition    a condition, filter or key condition, bound to a request's placeholders
    update       an update, bound likewise, and the item that it makes
    legacy       conditions and updates of the parameters before expressions

The parser is written by hand. lark's standalone parser for this grammar would be 100 KB of
generated code to load, and would still leave to do what most of this package does: AWS's sentences
with the token and its neighbours, brackets that are redundant or belong to an operand, the limits.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

from grader.cloud.dynamodb.expressions.condition import Condition, KeyCondition
from grader.cloud.dynamodb.expressions.grammar import Invalid
from grader.cloud.dynamodb.expressions.paths import Projection
from grader.cloud.dynamodb.expressions.placeholders import Path, Placeholders
from grader.cloud.dynamodb.expressions.update import Update, UpdateFailed

__all__ = [
    "Condition",
    "Invalid",
    "KeyCondition",
    "Path",
    "Placeholders",
    "Projection",
    "Update",
    "UpdateFailed",
]
