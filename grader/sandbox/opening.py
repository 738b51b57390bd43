"""A sandbox is opened: a template with its code is deployed into a fresh account.

The deployment takes virtual time, and ends where the wall's time is: what a learner's shell calls
now is now in the sandbox, too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from grader.cloud import Cloud, HangBudget, Nursery
from grader.course.files import UsageError
from grader.sandbox.pace import Pace
from grader.sandbox.sandbox import Sandbox
from grader.sandbox.world import World

STACK = "shop"
TEMPLATES = ("template.yaml", "template.yml", "template.json")
# How long a change of a stack, and of a mapping, takes here. AWS takes minutes; whoever operates by
# hand would only wait.
CHANGE_MS, MAPPING_MS = 15_000, 5_000
# Items whose Time to Live has passed go at this pace; AWS deletes them "within a few days".
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
EXPIRE_MS = 10 * 60_000


class Unbounded(HangBudget):
    """No grade depends on a sandbox: a function that hangs has only itself to wait for."""

    @property
    def exhausted(self) -> bool:
        """Never."""
        return False


def account(nursery: Nursery, *, seed: int = 0, start_ms: int | None = None) -> Cloud:
    """An empty account to operate on; ``start_ms`` is its virtual time, the wall's without one."""
    cloud = Cloud(
        nursery,
        seed=seed,
        live=True,
        hangs=Unbounded(),
        start_ms=round(time.time() * 1000) - CHANGE_MS if start_ms is None else start_ms,
        mapping_takes_ms=MAPPING_MS,
        change_takes_ms=CHANGE_MS,
    )

    def expire() -> None:
        cloud.account.expire()
        cloud.clock.after(EXPIRE_MS, expire)

    cloud.clock.after(EXPIRE_MS, expire)
    return cloud


def template_in(path: Path) -> Path:
    """The template that a file or a folder means. UsageError."""
    if path.is_file():
        return path
    for name in TEMPLATES:
        if (path / name).is_file():
            return path / name
    raise UsageError(f"{path} is no template, and no folder with one: {', '.join(TEMPLATES)}.")


def deploy(
    cloud: Cloud, template: Path, parameters: Mapping[str, str], *, stack: str = STACK
) -> None:
    """Deploy a template whose local code lies beside it. Refused as CloudFormation refuses."""
    body = template.read_text(encoding="utf-8")
    cloud.create(cloud.resolve(stack, body, parameters), body, code=template.parent)


def opened(cloud: Cloud, *, speed: float = 1.0, world: World | None = None) -> Sandbox:
    """The sandbox of an account; its time runs from now on, which is the wall's unless it is later.

    What the deployment took of the wall's time passes as virtual time, too. An account that was
    kept, with its ``world``, goes on where its time stood.
    """
    if world is None:
        cloud.run_for(max(0, round(time.time() * 1000) - cloud.clock.now))
    return Sandbox(cloud, pace=Pace(cloud.clock, speed=speed), world=world)
