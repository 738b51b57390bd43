"""How fast a sandbox answers while its pipeline runs, and what it takes when nobody asks.

    python benchmarks/sandbox.py

Four clients in processes of their own write orders, read totals, ask for the mapping and receive
from the queue, each over one connection, as SDKs do; the requests are signed by botocore beforehand
so that the server's time is measured and not boto3's. Lab 2's solution counts every order
meanwhile. At the end every order must be counted, once. Then the sandbox idles for a while.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import statistics
import time
from pathlib import Path

from grader.cloud import Nursery
from grader.sandbox import Server
from grader.sandbox.opening import account, deploy, opened

SOLUTION = Path(__file__).resolve().parent.parent / "solutions" / "02-lambda-triggers"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=testing/20261102/us-east-1/{}/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


def client(number: int, port: int, names: dict[str, str], seconds: float, out: object) -> None:
    """Ask one request after the other for so many seconds; the times of all go into ``out``."""
    line = http.client.HTTPConnection("127.0.0.1", port)
    times, orders, wrong = [], 0, 0
    until, turn = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        method, path, headers, body = _request(number, turn, orders, names)
        begun = time.perf_counter()
        line.request(method, path, body, headers)
        reply = line.getresponse()
        reply.read()
        times.append(time.perf_counter() - begun)
        wrong += reply.status != 200
        orders += turn % 4 < 2
        turn += 1
    out.put((times, orders, wrong))  # type: ignore[attr-defined]


def _request(
    number: int, turn: int, orders: int, names: dict[str, str]
) -> tuple[str, str, dict[str, str], str]:
    def json_call(service: str, target: str, body: dict[str, object]) -> tuple:  # type: ignore[type-arg]
        headers = {
            "Authorization": SIGNED.format(service),
            "X-Amz-Target": target,
            "Content-Type": "application/x-amz-json-1.0",
        }
        return "POST", "/", headers, json.dumps(body)

    kind = turn % 4
    if kind < 2:
        item = {
            "merchant": {"S": f"merchant-{number}"},
            "id": {"S": f"order#{orders}"},
            "kind": {"S": "order"},
            "amount": {"N": "1"},
        }
        return json_call(
            "dynamodb", "DynamoDB_20120810.PutItem", {"TableName": names["Orders"], "Item": item}
        )
    if kind == 2:
        key = {"merchant": {"S": f"merchant-{number}"}}
        body = {"TableName": names["MerchantTotals"], "Key": key}
        return json_call("dynamodb", "DynamoDB_20120810.GetItem", body)
    place = f"/2015-03-31/event-source-mappings/{names['OrdersToTotals']}"
    return "GET", place, {"Authorization": SIGNED.format("lambda")}, ""


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--idle", type=float, default=20.0)
    given = parser.parse_args()
    nursery = Nursery.start(packages=None)
    cloud = account(nursery)
    deploy(cloud, SOLUTION / "template.yaml", {})
    resources = cloud.stacks["shop"].stack.resources
    names = {name: one.physical_id for name, one in resources.items()}
    with Server(opened(cloud)) as server:
        context = multiprocessing.get_context("spawn")
        out = context.Queue()
        workers = [
            context.Process(target=client, args=(n, server.port, names, given.seconds, out))
            for n in range(given.clients)
        ]
        for worker in workers:
            worker.start()
        found = [out.get() for _ in workers]
        for worker in workers:
            worker.join()
        times = sorted(one for part, _, _ in found for one in part)
        orders, wrong = sum(two for _, two, _ in found), sum(three for _, _, three in found)
        server.sandbox.pace.move(60_000)
        counted = sum(int(one.get("orders", 0)) for one in cloud.items("shop", "MerchantTotals"))
        (host,) = cloud.functions.values()
        print(f"{len(times) / given.seconds:.0f} requests a second from {given.clients} clients")
        print(
            f"median {statistics.median(times) * 1000:.1f} ms, "
            f"p95 {times[int(len(times) * 0.95)] * 1000:.1f} ms, most {times[-1] * 1000:.0f} ms"
        )
        print(
            f"{orders} orders written, {counted} counted by {len(host.invocations)} invocations, "
            f"{wrong} answers wrong, {server.sandbox.pace.slipped_ms} ms slipped"
        )
        begun, cpu = time.perf_counter(), sum(os.times()[:4])
        time.sleep(given.idle)
        took = (sum(os.times()[:4]) - cpu) / (time.perf_counter() - begun)
        print(f"idle: {took:.2%} of a core over {given.idle:g} s")
    cloud.close()
    nursery.close()


if __name__ == "__main__":
    main()
