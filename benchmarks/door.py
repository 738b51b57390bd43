"""AWS calls a second that function code makes through the door, against the same calls in process.

Lab 2's solution counts batches of 100 orders in its own process; each record is one transaction.
The baseline makes the same transactions with a boto3 client in the judge's process.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from grader.cloud.function import Nursery  # noqa: E402
from grader.cloud.pipeline import Pipeline  # noqa: E402

ORDERS = 100
PAIRS = 5


def main() -> None:
    nursery = Nursery.start()
    template = ROOT / "solutions" / "02-lambda-triggers" / "template.yaml"
    through, inside = [], []
    with Pipeline.deploy(template, nursery=nursery, mappings=False) as pipeline:
        records = []
        pipeline.watch("Orders", records.append)
        client = pipeline.account.client("dynamodb")
        pipeline.deliver("TotalsFunction", [])
        for pair in range(PAIRS):
            for number in range(ORDERS):
                pipeline.put(
                    "Orders",
                    {"merchant": "acme", "id": f"order#{pair}-{number}", "amount": number},
                )
            batch = records[-ORDERS:]
            began = time.perf_counter()
            invocation = pipeline.deliver("TotalsFunction", batch)
            through.append((time.perf_counter() - began) / len(invocation.calls))
            began = time.perf_counter()
            for number in range(ORDERS):
                marker = {"id": {"S": f"baseline-{pair}-{number}"}}
                client.transact_write_items(
                    TransactItems=[
                        {"Put": {"TableName": pipeline.table("CountedRecords"), "Item": marker}},
                        {
                            "Update": {
                                "TableName": pipeline.table("MerchantTotals"),
                                "Key": {"merchant": {"S": "baseline"}},
                                "UpdateExpression": "ADD orders :one",
                                "ExpressionAttributeValues": {":one": {"N": "1"}},
                            }
                        },
                    ]
                )
            inside.append((time.perf_counter() - began) / ORDERS)
    nursery.close()
    ratio = statistics.median(one / other for one, other in zip(through, inside, strict=True))
    print(
        f"{'calls a second: door / in process':<44}"
        f"{1 / statistics.median(through):>10,.0f} {1 / statistics.median(inside):>10,.0f}"
        f" {1 / ratio:>7.2f}   no aim"
    )


if __name__ == "__main__":
    main()
