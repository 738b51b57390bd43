"""The account on loopback: the emulated AWS as clients of AWS speak to it, and drills on it.

A request of the AWS CLI, of boto3 or of any SDK enters at `Server`, is read by ``protocol`` and
answered by ``services`` from `Sandbox.cloud`, the engine that everything which plays stands on.
Time is virtual and belongs to `Sandbox.pace`. What enters further down by itself: whatever is due
by the wall, from a thread of the server's (`Sandbox.tick`).

    with Server(Sandbox(cloud), port=0) as server:
        print(server.url)

A map, each row importing only from the rows below it::

    oncall/     drills: what happens to a shop, who is on call, what counts
    opening     a template deployed into a fresh account; archive, one that is kept and taken up
    server      HTTP, who is let in, the owner's routes; console/, the page in a browser
    sandbox     one account in use: time, answers, the record of what was asked
    services/   what each service answers, and what is told instead of the rest
    reference   the same as a page
    state       how the account stands, as data; replayed, what has happened as a run
    protocol    requests read, answers written; query, the forms and XML of older protocols
    world       what services answer from, and the register of operations
    alarms      states and history of alarms
    home        what a running sandbox leaves for other terminals, and tells their clients
    pace, traffic: how virtual time passes, and what the shop writes meanwhile
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grader.sandbox.pace import Pace
    from grader.sandbox.sandbox import Sandbox
    from grader.sandbox.server import Server
    from grader.sandbox.world import Asked

__all__ = ["Asked", "Pace", "Sandbox", "Server"]

_ROOMS = {"Asked": "world", "Pace": "pace", "Sandbox": "sandbox", "Server": "server"}


def __getattr__(name: str) -> Any:
    """The names are imported when they are first used: `labs list` reads of drills and is quick."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
