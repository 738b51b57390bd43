"""Workers of Dask: of a cluster made for one run on this machine, or of somebody's scheduler.

The only module that knows Dask (https://distributed.dask.org), imported when it is used. Dask
carries parcels and answers, notices what died, and starts it again; nothing is graded in its
processes. Each thread of a worker has a room (``grader.classroom.room``).

Whoever reaches a port of Dask runs code there. So a cluster of ours listens on loopback only, has
no dashboard, and speaks TLS with certificates that are made for the run and written nowhere: other
users of this machine cannot join it.
"""

from __future__ import annotations

import atexit
import logging
import math
import queue
import signal
import threading
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import dask
from distributed import (
    Client,
    Future,
    KilledWorker,
    Nanny,
    Scheduler,
    Security,
    SpecCluster,
    Status,
    Worker,
    get_worker,
)

from grader.classroom.room import Room
from grader.classroom.work import Address, Done, Terms
from grader.cloud.scratch import Scratch
from grader.cloud.words import counted
from grader.course.files import UsageError

LOOPBACK = "127.0.0.1"
# Real seconds: until a scheduler answers, until a cluster that has no worker and starts none is
# given up, and until one has ended.
CONNECT_S = 15.0
DESERTED_S = 120.0
CLOSE_S = 10.0
ASK_S = 1.0
LOOK_S = 0.1
# So often for each worker that is wanted one may be started on this machine without any answer in
# between. A machine that kills what it starts would go on with that for ever.
STARTS = 10
# A scheduler of ours gives a parcel up only when so many workers died of it: whoever kills workers
# by hand should not lose one.
OURS = {"port": 0, "dashboard": False, "allowed_failures": 10}
WITHOUT = "--workers 0 grades without them, one after the other."
# The reason that Dask gives when a whole cluster ends.
AT_THE_END = "nanny-close"
# Parcels under way for each thread: one that is graded, and one so that no worker waits.
AHEAD = 2


# --- on the worker ----------------------------------------------------------------------------


_rooms: dict[tuple[int, Terms], Room] = {}


def work(parcel: bytes, course: str, terms: Terms) -> bytes:
    """Grade a parcel in this thread's room; the answer, packed, with this worker's address."""
    mine = (threading.get_ident(), terms)
    if mine not in _rooms:
        _rooms[mine] = Room(weak=terms.weak, bounds=terms.bounds, program=terms.program)
    answer = _rooms[mine].grade(parcel, course)
    return replace(answer, worker=get_worker().address).pack()


@atexit.register
def close_rooms() -> None:
    """End every room of this process."""
    while _rooms:
        _rooms.popitem()[1].close()


class _Portless:
    """A server of Dask that opens no port for HTTP: no dashboard, no metrics, no health page."""

    def start_http_server(self, *arguments: Any, **options: Any) -> None:
        """Start nothing."""


class OurScheduler(_Portless, Scheduler):  # type: ignore[misc]
    """The scheduler of a cluster of ours."""


class OurWorker(_Portless, Worker):  # type: ignore[misc]
    """A worker of a cluster of ours. Ctrl-C is for the command, which ends it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        super().__init__(*arguments, **options)


# --- in the command ---------------------------------------------------------------------------


@dataclass
class Starts:
    """How often workers were started since the last answer, at ``most``, and how many were lost.

    Lost is one that nobody starts again: Dask does that for a worker that once stood, and gives up
    one that ends while it starts for the first time.
    """

    most: int
    count: int = 0
    lost: int = 0
    why: str = ""


class OurNanny(Nanny):  # type: ignore[misc]
    """What starts a worker of a cluster of ours, within bounds. It lives in the command."""

    def __init__(self, *arguments: Any, starts: Starts, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._starts = starts

    async def instantiate(self) -> Any:
        """Start the worker, if that may be tried once more."""
        starts = self._starts
        if starts.count >= starts.most:
            await self.close(reason="no more starts")
            raise RuntimeError("No more starts.")
        starts.count += 1
        try:
            return await super().instantiate()
        except Exception as error:
            starts.why = str(error) or type(error).__name__
            raise

    async def close(self, timeout: float = CLOSE_S, reason: str = AT_THE_END) -> Any:
        """End, and count as lost unless it is the cluster that ends."""
        if reason != AT_THE_END and self.status not in (Status.closing, Status.closed):
            self._starts.lost += 1
        return await super().close(timeout=timeout, reason=reason)


@dataclass(frozen=True)
class _Under:
    """A parcel under way; ``others`` are the only workers that may have it, if there are any."""

    number: int
    future: Future
    parcel: bytes
    course: str
    others: list[str]


class Crew:
    """The workers of one run; ``close`` at the end.

    ``wanted`` is a number of workers on this machine, or the address of a scheduler.
    """

    def __init__(self, wanted: int | Address, terms: Terms) -> None:
        self.terms = terms
        self._own: SpecCluster | None = None
        self._starts = Starts(0)
        self._scratch = Scratch()
        self._done: queue.Queue[Future] = queue.Queue()
        self._under: dict[str, _Under] = {}
        # Since when there has been no worker, and how many starts there had been by then.
        self._deserted: tuple[float, int] | None = None
        self._known: Mapping[str, Any] = {}
        self._asked = -math.inf
        for name in ("distributed", "tornado", "tornado.application", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            if isinstance(wanted, int):
                self.place = "this machine"
                self._client = self._on_this_machine(wanted)
            else:
                self.place = wanted.url
                self._client = _connected(wanted)
            self._wait_for_workers()
        except BaseException:
            self.close()
            raise

    def _on_this_machine(self, workers: int) -> Client:
        security = Security.temporary()
        common = {"host": LOOPBACK, "protocol": "tls://", "security": security}
        self._starts = Starts(STARTS * workers)
        worker = {
            "cls": OurNanny,
            "options": {
                **common,
                "worker_class": OurWorker,
                "nthreads": 1,
                "memory_limit": 0,  # a room has limits of its own, and nothing else grows
                "dashboard": False,
                "local_directory": str(self._scratch.path),
                "silence_logs": logging.CRITICAL,
                "starts": self._starts,
            },
        }
        # A worker that is slow to come back is still ours: Dask would give it up after 15 s.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
        try:
            self._own = SpecCluster(
                scheduler={"cls": OurScheduler, "options": {**common, **OURS}},
                worker=worker,
                security=security,
                silence_logs=logging.CRITICAL,
            )
            client = Client(self._own, security=security)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise UsageError(
                f"No cluster could be started on this machine: {_why(error)}. {WITHOUT}"
            ) from None
        # Not before: a worker that is killed while it starts would end a cluster that begins.
        self._own.scale(workers)
        return client

    def _wait_for_workers(self) -> None:
        """Until the first one is there; the others may come while it grades."""
        while not self._workers(at_once=True):
            self._require_workers()
            time.sleep(LOOK_S)

    def close(self) -> None:
        """End what is under way, and the cluster where it is ours.

        On a busy machine Dask may not be done with that in time; its processes end with ours then.
        """
        client: Client | None = getattr(self, "_client", None)
        with suppress(OSError, TimeoutError):
            if client is not None and client.status == "running" and self._own is None:
                client.cancel([under.future for under in self._under.values()])
                client.run(close_rooms, on_error="ignore")
        with suppress(TimeoutError):
            if client is not None:
                client.close(timeout=CLOSE_S)
            if self._own is not None:
                self._own.close(timeout=CLOSE_S)
        self._scratch.close()

    # -- parcels ---------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many parcels are graded at a time."""
        return sum(worker["nthreads"] for worker in self._workers().values())

    @property
    def room_for(self) -> int:
        """How many more parcels it is worth to submit now."""
        return max(1, self.size) * AHEAD - len(self._under)

    def submit(self, number: int, parcel: bytes, course: str, avoid: str = "") -> None:
        """Have a parcel graded; ``avoid`` is a worker that should not, if there is another."""
        others = [one for one in self._workers() if one != avoid] if avoid else []
        future = self._client.submit(
            work,
            parcel,
            course,
            self.terms,
            key=f"grade-{number}-{time.monotonic_ns()}",
            pure=False,
            workers=others or None,
        )
        self._under[future.key] = _Under(number, future, parcel, course, others)
        future.add_done_callback(self._done.put)

    def wait(self, seconds: float) -> Done | None:
        """The next parcel that is done, or None after ``seconds``. UsageError when all is lost."""
        self._require_workers()
        self._free_the_bound()
        try:
            future = self._done.get(timeout=seconds)
        except queue.Empty:
            return None
        if future.key not in self._under:
            return None  # it was submitted anew
        under = self._under.pop(future.key)
        try:
            answer = future.result(timeout=CONNECT_S)
            self._starts.count = 0
            return Done(under.number, answer=answer)
        except TimeoutError:
            # The worker that had the answer died just now: another one is asked for it.
            self._under[future.key] = under
            self._done.put(future)
            return None
        except KilledWorker as killed:
            worker = str(getattr(killed.last_worker, "address", killed.last_worker))
            problem = "the worker died each time that it was tried"
            return Done(under.number, problem=problem, worker=worker)
        except CancelledError:
            raise UsageError(f"The connection to the scheduler at {self.place} was lost.") from None
        except ModuleNotFoundError as missing:
            raise UsageError(
                f"The workers at {self.place} have no {missing.name}: install streamlabs[class]"
                " there, in the version of this command."
            ) from None
        except Exception as error:
            # Whatever the cluster or our own code there raised is told, and recorded in the end.
            self._require_scheduler()
            problem = f"the worker failed ({type(error).__name__}: {error})"
            return Done(under.number, problem=problem)

    def _free_the_bound(self) -> None:
        """Submit anew what may only go to workers that are gone."""
        alive = self._workers()
        for under in list(self._under.values()):
            if under.others and not any(one in alive for one in under.others):
                del self._under[under.future.key]
                under.future.cancel()
                self.submit(under.number, under.parcel, under.course)

    def _workers(self, at_once: bool = False) -> Mapping[str, Any]:
        """The workers by address, as they were a second ago at most: asking costs a message."""
        if at_once or time.monotonic() - self._asked > ASK_S:
            with suppress(OSError, TimeoutError):  # _require_scheduler tells when it is gone
                self._known = self._client.scheduler_info(n_workers=-1)["workers"]
            self._asked = time.monotonic()
        return self._known

    def _require_scheduler(self) -> None:
        if self._client.status != "running":
            raise UsageError(f"The scheduler at {self.place} does not answer any more.")

    def _require_workers(self) -> None:
        """See that there are workers, or may soon be some. UsageError where there is no hope."""
        self._require_scheduler()
        self._replace_the_lost()
        tried = self._starts.count
        if self._workers():
            self._deserted = None
            return
        now = time.monotonic()
        if self._deserted is None or self._deserted[1] != tried:
            self._deserted = now, tried
        if self._own is None and now - self._deserted[0] > DESERTED_S:
            raise UsageError(
                f"The scheduler at {self.place} has no worker. Start workers there and try again;"
                " what is graded is kept."
            )
        if self._own is not None and (
            (self._starts.lost and tried >= self._starts.most)
            or now - self._deserted[0] > DESERTED_S
        ):
            raise UsageError(
                f"No worker stays alive on this machine: {counted(tried, 'start')} without a grade"
                f" in between{self._starts.why and f' ({self._starts.why})'}. What is graded is"
                f" kept. {WITHOUT}"
            )

    def _replace_the_lost(self) -> None:
        """Start another worker for each that is lost, as far as starts are left."""
        if self._own is not None and self._starts.lost and self._starts.count < self._starts.most:
            lost, self._starts.lost = self._starts.lost, 0
            self._own.scale(len(self._own.worker_spec) + lost)


def _why(error: BaseException) -> str:
    return str(error.__cause__ or error).rstrip(".")[:300]


def _connected(address: Address) -> Client:
    """A client of a scheduler that is there already."""
    security = None
    if address.url.startswith("tls://"):
        security = Security(
            require_encryption=True,
            tls_ca_file=address.ca,
            tls_client_cert=address.cert,
            tls_client_key=address.key,
        )
    try:
        return Client(address.url, security=security, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(
            f"The scheduler at {address.url} cannot be reached: {_why(error)}."
        ) from None
