"""Grades on every core of this machine, in processes that stay warm from one grade to the next.

The order in which they are asked for is the order in which they are begun; whoever waits for one
has the others going on. A grade here equals one in a process of its own: nothing of a play stays
behind (`tests/course/test_submissions.py` compares them).
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING

from grader.course.grade import Grade
from grader.course.lab import Lab
from grader.course.warm import cores

if TYPE_CHECKING:
    from grader.cloud.function import Nursery

Waiting = Callable[[], Grade]


class Cores:
    """A process for each core, begun with the first grade. Use ``close`` at the end."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def grade(self, lab: Lab, folder: Path, seed: int) -> Waiting:
        """Begin to grade the files in ``folder`` as soon as a core is free; call what comes back.

        The call waits for the grade, and raises UsageError where the files cannot be graded.
        """
        if self._pool is None:
            # Forking is not safe beside the threads of a pool.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(cores(), context, initializer=_begin)
        return self._pool.submit(_grade, lab, folder, seed).result

    def close(self) -> None:
        """Forget what was not begun, wait for what was, end the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _begin() -> None:
    """In a process of the pool: Ctrl-C is the command's to act on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _grade(lab: Lab, folder: Path, seed: int) -> Grade:
    from grader.course import judge

    return judge.grade(lab, folder, seed=seed, nursery=_nursery())


@cache
def _nursery() -> Nursery:
    """This process's nursery, which ends with it."""
    from grader.cloud.function import Nursery
    from grader.course import judge

    with judge.clean_environment():
        started = Nursery.start()
    Finalize(None, started.close, exitpriority=1)
    return started
