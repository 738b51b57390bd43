"""Workers of Dask: on this machine by themselves, or of a scheduler with certificates.

What grades in their rooms is the stub, so that this is about the cluster; `test_class.py` grades
for real.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from stub_inside import STUB, WEAK

from grader.classroom import cluster, grading
from grader.classroom.cluster import Crew
from grader.classroom.grading import Run
from grader.classroom.record import Record
from grader.classroom.room import Bounds
from grader.classroom.seeds import Seeds
from grader.classroom.version import course_version
from grader.classroom.work import Address, Terms
from grader.course import lab
from grader.course.files import UsageError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]
ONE = lab.find("1")
COURSE = course_version()
TERMS = Terms(bounds=Bounds(wall_seconds=3), program=STUB)
# Far above what it takes on a machine that has nothing else to do.
WAIT_S = 240


def hand_in(folder: Path, learner: str, wish: str = "") -> None:
    place = folder / learner / ONE.name
    place.mkdir(parents=True)
    for name in ONE.editable:
        (place / name).write_text(f"# {learner}\n")
    if wish:
        (place / "wish").write_text(wish)


def due(folder: Path, record: Record) -> list[grading.Task]:
    return grading.due(record, grading.collect(folder, [ONE])[0], Seeds(), COURSE)


def rows(record: Record) -> dict[str, str]:
    return {one.learner: one.status for one in record.grades()}


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    """Two workers of this machine."""
    made = Crew(2, TERMS)
    yield made
    made.close()
    assert _gone()


def test_a_worker_without_isolation_grades_nothing(
    tmp_path: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It proves its tier before the first grade, and the command ends in a sentence."""
    folder = tmp_path / "handed-in"
    hand_in(folder, "ann")
    monkeypatch.setattr(crew, "terms", Terms(program=WEAK))
    with Record(tmp_path / "class.sqlite") as record:
        with pytest.raises(UsageError, match="Function code can reach the network"):
            Run(record, crew, COURSE, due(folder, record)).go(lambda text: None)
        assert record.grades() == []


def test_two_workers_of_this_machine_grade_and_survive_what_happens_to_them(
    tmp_path: Path, crew: Crew
) -> None:
    """They listen on loopback only and open no port for HTTP; strangers are turned away.

    A hand-in whose process dies once gets its grade elsewhere; one that always dies is a fault, and
    so is one that hangs; a worker that is killed is replaced; all others get their grades.
    """
    folder = tmp_path / "handed-in"
    for number in range(20):
        hand_in(folder, f"learner-{number:02}")
    hand_in(folder, "dies-once", f"once {tmp_path / 'once'}")
    hand_in(folder, "dies", "die")
    hand_in(folder, "hangs", "hang")
    with Record(tmp_path / "class.sqlite") as record:
        _check_ports()
        run = Run(record, crew, COURSE, due(folder, record))
        killed: list[int] = []

        def kill_a_worker(text: str) -> None:
            if run.tally.done > 5 and not killed:
                killed.append(_workers()[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        tally = run.go(kill_a_worker)
        assert killed and len(tally.faults) == 2
        grades = {one.learner: one for one in record.grades()}
    statuses = {name: one.status for name, one in grades.items()}
    assert len(statuses) == 23
    assert {name for name, one in statuses.items() if one == "fault"} == {"dies", "hangs"}
    assert grades["dies-once"].tries == 2
    hung, dead = str(grades["hangs"].fault), str(grades["dies"].fault)
    assert hung.count("did not end within 3 s") == dead.count("ended by signal 9") == 2


def _workers() -> list[psutil.Process]:
    """The processes of Dask's workers; their rooms are below them."""
    found = []
    for one in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [one] if "spawn_main" in " ".join(one.cmdline()) else []
    return found


def _check_ports() -> None:
    """Every port is on loopback, and none of them speaks without our certificate."""
    ports = {
        place.laddr
        for process in (psutil.Process(), *_workers())
        for place in process.net_connections("inet")
        if place.status == psutil.CONN_LISTEN
    }
    assert ports and {port.ip for port in ports} == {"127.0.0.1"}
    for port in ports:
        assert not _heard(port.port).startswith(b"HTTP"), f"{port} answers in HTTP"
        assert _heard(port.port, tls=True) == b"", f"{port} speaks with a stranger"


def _heard(port: int, tls: bool = False) -> bytes:
    """What a port says to who has no certificate; nothing when it breaks off."""
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    try:
        plain = socket.create_connection(("127.0.0.1", port), 2)
        with stranger.wrap_socket(plain) if tls else plain as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return connection.recv(100)
    except OSError:
        return b""


def _gone() -> bool:
    """Do the workers and their rooms end with the crew?"""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        below = psutil.Process().children(recursive=True)
        if not [
            one for one in below if {"spawn_main", *STUB} & set(" ".join(one.cmdline()).split())
        ]:
            return True
        time.sleep(0.2)
    return False


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, Path]:
    """A certificate that signs itself, for both sides."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "class")])
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place = {"cert": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}
    place["cert"].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    place["key"].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return {**place, "ca": place["cert"]}


@pytest.fixture
def scheduler(tmp_path: Path, certificates: dict[str, Path]) -> Iterator[tuple[str, list[int]]]:
    """A scheduler with two workers, started as the page on clusters says; address and processes.

    The first process is the scheduler's.
    """
    tls = [
        "--tls-ca-file", str(certificates["ca"]), "--tls-cert", str(certificates["cert"]),
        "--tls-key", str(certificates["key"]),
    ]  # fmt: skip
    place = tmp_path / "scheduler.json"
    common = [*tls, "--no-dashboard", "--scheduler-file", str(place)]
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    started = [
        subprocess.Popen([*dask, *common, "--protocol", "tls", "--host", "127.0.0.1", "--port",
                          "0"], **quiet)
    ]  # fmt: skip
    try:
        for number in range(2):
            started.append(
                subprocess.Popen(
                    [*worker, *common, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1",
                     "--name", str(number)], **quiet)
            )  # fmt: skip
        yield _address(place), [one.pid for one in started]
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def _address(place: Path) -> str:
    """What a scheduler wrote into its file, once it is whole."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(place.read_text())["address"])
        time.sleep(0.1)
    raise AssertionError("the scheduler did not start")


def test_a_scheduler_with_two_workers_grades_over_tls_and_its_end_loses_nothing(
    tmp_path: Path, certificates: dict[str, Path], scheduler: tuple[str, list[int]]
) -> None:
    """Without a certificate nobody gets in; when the scheduler dies what is done is kept."""
    folder = tmp_path / "handed-in"
    for number in range(6):
        hand_in(folder, f"learner-{number}")
    hand_in(folder, "hangs", "hang")
    url, processes = scheduler
    files = {name: str(path) for name, path in certificates.items()}
    with Record(tmp_path / "class.sqlite") as record:
        with closing(Crew(Address(url, **files), TERMS)) as crew:
            deadline = time.monotonic() + WAIT_S
            while crew.size < 2 and time.monotonic() < deadline:
                time.sleep(0.1)
            assert crew.size == 2
            tally = Run(record, crew, COURSE, due(folder, record)).go(lambda text: None)
        assert (tally.graded, [one.learner for one in tally.faults]) == (6, ["hangs"])
        assert len({line.split()[1] for line in str(tally.faults[0].fault).splitlines()}) == 2
        for number in range(6, 12):
            hand_in(folder, f"learner-{number}")
        hand_in(folder, "hangs-too", "hang")
        with closing(Crew(Address(url, **files), TERMS)) as crew:
            run = Run(record, crew, COURSE, due(folder, record))

            def kill_the_scheduler(text: str) -> None:
                if run.tally.done:
                    os.kill(processes[0], signal.SIGKILL)

            with pytest.raises(UsageError, match="scheduler at tls://"):
                run.go(kill_the_scheduler)
        kept = rows(record)
        assert len(kept) > 7 and set(kept.values()) == {"graded", "fault"}
        assert "hangs-too" not in kept


def test_where_no_scheduler_is_a_sentence_says_so(
    certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 2.0)
    files = {name: str(path) for name, path in certificates.items()}
    with pytest.raises(UsageError, match=r"tls://127\.0\.0\.1:9 cannot be reached"):
        Crew(Address("tls://127.0.0.1:9", **files), TERMS)


def test_a_machine_that_kills_every_worker_is_told_of_after_a_bounded_number_of_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing hangs: the sentence counts the starts, and says what grades without workers."""
    monkeypatch.setattr(cluster, "STARTS", 3)
    told = pytest.raises(UsageError, match=r"3 starts without .*--workers 0 grades without")
    with _killed_while_they_start(every=True) as killed, told:
        Crew(1, TERMS)
    assert len(killed) == 3


def test_workers_that_are_killed_while_they_start_are_started_again(tmp_path: Path) -> None:
    """Four in a row end nothing, and the class is graded; each start is one of a bounded number."""
    folder = tmp_path / "handed-in"
    for number in range(3):
        hand_in(folder, f"learner-{number}")
    with Record(tmp_path / "class.sqlite") as record:
        with _killed_while_they_start(times=4) as killed, closing(Crew(2, TERMS)) as crew:
            assert crew.size >= 1
            Run(record, crew, COURSE, due(folder, record)).go(lambda text: None)
        assert set(rows(record).values()) == {"graded"} and len(rows(record)) == 3
    assert len(killed) == 4


@contextlib.contextmanager
def _killed_while_they_start(times: int = 0, every: bool = False) -> Iterator[list[int]]:
    """Kill the first workers from now on, or every one, as soon as they are seen."""
    killed: list[int] = []
    old = {one.pid for one in _workers()}
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.02) and (every or len(killed) < times):
            for one in _workers():
                if one.pid not in {*old, *killed} and (every or len(killed) < times):
                    killed.append(one.pid)
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()
