"""What grading a class costs, and what it survives.

    python benchmarks/classroom.py speed [LEARNERS [TIMES [LOOPS]]]
    python benchmarks/classroom.py grades
    python benchmarks/classroom.py memory [GRADES]
    python benchmarks/classroom.py engine [HAND-INS]
    python benchmarks/classroom.py kills [LEARNERS [KILLS]]

``speed``: a class of LEARNERS x 2 labs (60), graded by two workers, by one, and by a loop of `labs
grade`, TIMES times in turn (5), the loop only in the first LOOPS turns (all): medians of wall-clock
and CPU seconds, and of their ratios in a turn.
``grades``: CPU seconds of one grade in a warm room, for each lab's starter and solution.
``memory``: what the process in a room has resident in its first and its last hundred grades.
``engine``: stub grades (2,000) through the whole machinery: what is left when grading is free.
``kills``: a class of LEARNERS x 2 labs (30): the command is killed KILLS times (10) at random
moments, a scheduler with two workers over TLS once, then a worker KILLS times; after each of these
three the command goes on, and each mark is once in the record and equals the loop's.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from distributed import Security

from grader.classroom import grading, settings
from grader.classroom.cluster import Crew
from grader.classroom.parcel import Parcel
from grader.classroom.record import Record
from grader.classroom.room import Bounds, Room
from grader.classroom.seeds import Seeds
from grader.classroom.version import course_version
from grader.classroom.work import Terms
from grader.cloud.function import look
from grader.course import answers, lab
from grader.course.files import write_files

ROOT = Path(__file__).resolve().parents[1]
ATTACKS = ROOT / "tests" / "course" / "attacks"
STUB = ROOT / "tests" / "classroom" / "stub_inside.py"
LABS = [sys.executable, "-m", "grader"]
SEED = 20270305
# https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
SUBREAPER = 36


def hand_ins(learners: int) -> dict[str, dict[str, bytes]]:
    """Files by ``LEARNER/NN-slug``: starters, solutions and kept answers of labs 1 and 2, drawn.

    Two hang, one takes all the memory there is, and three equal another learner's.
    """
    draw = random.Random(SEED)
    made: dict[str, dict[str, bytes]] = {}
    for chosen in (lab.find("1"), lab.find("2")):
        kept = [dict(one.files) for one in answers.kept(chosen)]
        ends = [chosen.read(chosen.starter), chosen.read(chosen.solution)]
        for number in range(learners):
            files = draw.choice(ends) if draw.random() < 0.2 else draw.choice(kept)
            made[f"learner-{number:03}/{chosen.name}"] = files
    two = lab.find("2")
    solved = two.read(two.solution)
    names = ["loops_for_ever", "loops_and_catches_everything", "allocates_without_end"]
    for number, name in enumerate(names[: max(1, learners // 4)]):
        attack = {**solved, "handler.py": (ATTACKS / f"{name}.py").read_bytes()}
        made[f"learner-{number:03}/{two.name}"] = attack
    for number in range(min(3, learners // 4)):
        made[f"learner-{learners - 1 - number:03}/{two.name}"] = solved
    return made


@contextlib.contextmanager
def a_class(files: dict[str, dict[str, bytes]]) -> Iterator[Path]:
    """A class with these hand-ins, and one more learner whose archive leads out of its folder."""
    with TemporaryDirectory(prefix="class-") as name:
        root = Path(name)
        settings.write_new(root)
        for place, content in files.items():
            write_files(root / "handed-in" / place, content)
        _take_hostile(root)
        yield root


def _take_hostile(root: Path) -> None:
    """`labs class take` refuses the archive and writes nothing. SystemExit when it does."""
    source = root / "downloaded" / "learner-hostile"
    source.mkdir(parents=True)
    with zipfile.ZipFile(source / "work.zip", "w") as archive:
        archive.writestr("02-lambda-triggers/handler.py", "")
        archive.writestr("../../../outside.py", "")
    took = subprocess.run([*LABS, "class", "take", str(source.parent), "--lab", "2"], cwd=root,
                          capture_output=True, text=True)  # fmt: skip
    with Record(root / "class.sqlite") as record:
        refused = [one.learner for one in record.refusals()]
    if refused != ["learner-hostile"] or list(root.rglob("outside.py")):
        sys.exit(f"the hostile archive was not refused: {took.stdout}{took.stderr}")


def cost(work: Callable[[], None]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of ``work`` with all processes below, orphans included."""
    began, before = time.perf_counter(), _cpu()
    work()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    return time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def grade_class(root: Path, workers: int) -> None:
    done = subprocess.run(
        [*LABS, "class", "grade", "--workers", str(workers)], cwd=root, capture_output=True
    )
    if done.returncode:
        sys.exit(done.stderr.decode())


def loop(root: Path) -> dict[str, str]:
    """The documents of `labs grade` of one folder after the other."""
    documents = {}
    for folder in sorted((root / "handed-in").glob("[!.]*/*")):
        number = str(int(folder.name[:2]))
        command = [*LABS, "grade", number, "--path", str(folder), "--json"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        documents[f"{folder.parent.name}/{folder.name}"] = done.stdout
    return documents


def compare(root: Path, documents: dict[str, str]) -> None:
    """SystemExit unless each hand-in has one row, and the row is what `labs grade` wrote."""
    with Record(root / "class.sqlite") as record:
        rows = record.grades()
    wrong = []
    for row in rows:
        name = f"{row.learner}/{lab.find(str(row.lab)).name}"
        if json.dumps(row.document, indent=2) + "\n" != documents.pop(name, None):
            wrong.append(f"{name} ({row.fault or 'another document'})")
    if wrong or documents:
        sys.exit(f"wrong: {wrong}; missing: {sorted(documents)}")


def speed(learners: int = 60, times: int = 5, loops: int | None = None) -> None:
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    measured: dict[str, list[tuple[float, float]]] = {"2 workers": [], "1 worker": [], "loop": []}
    said: dict[str, str] = {}
    with a_class(hand_ins(learners)) as root:
        for turn in range(times):
            if turn < (times if loops is None else max(1, loops)):
                measured["loop"].append(cost(lambda: said.update(loop(root))))
            for workers, name in ((2, "2 workers"), (1, "1 worker")):
                (root / "class.sqlite").unlink(missing_ok=True)
                measured[name].append(cost(lambda: grade_class(root, workers)))  # noqa: B023
                compare(root, dict(said))
            print(f"turn {turn + 1}: {measured}", file=sys.stderr, flush=True)
    middle = {name: [statistics.median(side) for side in zip(*pairs, strict=True)]
              for name, pairs in measured.items()}  # fmt: skip
    for name, (wall, cpu) in middle.items():
        print(f"{name:10} {wall:8.1f} s  {cpu:8.1f} s of CPU")
    ratios = [one[0] / two[0] for one, two in zip(measured["1 worker"], measured["2 workers"],
                                                  strict=True)]  # fmt: skip
    shares = [one[1] / two[1] for one, two in zip(measured["1 worker"], measured["loop"],
                                                  strict=False)]  # fmt: skip
    print(f"two workers against one: {statistics.median(ratios):.2f} x (at least 1.6)")
    print(f"one worker's CPU against the loop's: {statistics.median(shares):.2f} (at most 0.6)")


def grades() -> None:
    room, course = Room(), course_version()
    try:
        for one in lab.labs():
            used = []
            for folder in (one.starter, one.starter, one.solution):
                before = look(room.pid).cpu_seconds if room.pid else 0.0
                parcel = Parcel(one.number, 0, course, one.read(folder))
                assert room.grade(parcel.pack(), course).kind == "graded"
                time.sleep(0.5)  # until what the grade has forked is counted
                used.append(look(room.pid).cpu_seconds - before)
            print(f"lab {one.number}: starter {used[1]:.1f} s, solution {used[2]:.1f} s of CPU")
    finally:
        room.close()


def memory(grades: int = 200) -> None:
    """The process in a room forks its grades, so that what it keeps itself is what would grow."""
    chosen, course = lab.find("2"), course_version()
    room, seen = Room(bounds=Bounds(grades=grades + 1)), []
    try:
        for number in range(grades):
            files = {**chosen.read(chosen.starter), "handler.py": b"def handler(:\n"}
            parcel = Parcel(chosen.number, number, course, files)
            assert room.grade(parcel.pack(), course).kind == "graded"
            seen.append(psutil.Process(room.pid).memory_info().rss / 2**20)
    finally:
        room.close()
    half = min(100, grades // 2)
    first, last = statistics.mean(seen[:half]), statistics.mean(seen[-half:])
    print(f"resident in the first {half} grades {first:.1f} MB, in the last {half} {last:.1f} MB")


def engine(count: int = 2_000) -> None:
    chosen, course = lab.find("1"), course_version()
    files = chosen.read(chosen.starter)
    made = {
        f"learner-{number:05}/{chosen.name}": {**files, "own.py": f"# {number}\n".encode()}
        for number in range(count)
    }
    with a_class(made) as root, Record(root / "class.sqlite") as record:
        began, used = time.perf_counter(), time.process_time()
        held, refused = grading.collect(root / "handed-in", [chosen])
        grading.note(record, held, refused)
        tasks = grading.due(record, held, Seeds(), course)
        read = time.perf_counter()
        with contextlib.closing(Crew(2, Terms(program=(str(STUB),)))) as crew:
            ready = time.perf_counter()
            tally = grading.Run(record, crew, course, tasks).go(lambda text: None)
            ended = time.perf_counter()
        assert tally.graded == count
    print(f"{count:,} hand-ins: {(read - began) * 1000 / count:.1f} ms each to read and note,")
    print(f"{(ended - ready) * 1000 / count:.1f} ms each to send, answer and write down,")
    print(f"{(time.process_time() - used) * 1000 / count:.1f} ms of CPU each in the command;")
    print(f"the cluster was ready after {ready - read:.1f} s")


def kills(learners: int = 30, count: int = 10) -> None:
    """Each part begins with an empty record, is killed while it fills, and goes on to its end."""
    draw = random.Random(SEED)
    with a_class(hand_ins(learners)) as root:
        expected = loop(root)
        for number in range(count):
            process = _start(root)
            _wait(root, process, draw)
            process.kill()
            process.communicate()
            print(f"command killed, {number + 1} of {count}: {_rows(root)} rows", flush=True)
        _go_on(root, expected)
        _kill_a_scheduler(root)
        _go_on(root, expected)
        killed = 0
        while killed < count:
            process = _start(root)
            while process.poll() is None:
                _wait(root, process, draw)
                if killed < count and process.poll() is None:
                    killed += _kill_a_worker(process.pid)
                    print(f"worker killed, {killed} of {count}: {_rows(root)} rows", flush=True)
            if process.returncode:
                sys.exit(f"the command said {process.returncode}: {process.communicate()[1]!r}")
            _go_on(root, expected)
    print(f"every mark of {len(expected)} is there once and right, three times")


def _wait(root: Path, process: subprocess.Popen[bytes], draw: random.Random) -> None:
    """Until up to seven grades more are there, and up to two seconds longer."""
    wanted = _rows(root) + draw.randrange(8)
    while _rows(root) < wanted and process.poll() is None:
        time.sleep(0.1)
    time.sleep(draw.uniform(0, 2))


def _go_on(root: Path, expected: dict[str, str]) -> None:
    """What a killed command left is graded; then the record is empty again."""
    left = len(expected) - _rows(root)
    grade_class(root, 2)
    compare(root, dict(expected))
    print(f"went on with {left}: all {len(expected)} are right", flush=True)
    (root / "class.sqlite").unlink()


def _start(root: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*LABS, "class", "grade", *(options or ("--workers", "2"))], cwd=root,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def _kill_a_scheduler(root: Path) -> None:
    """Grade with two workers of a scheduler over TLS; it dies once a grade of theirs is there."""
    ours, place = Security.temporary(), root / "tls"
    place.mkdir()
    pem = {"cert": ours.tls_client_cert, "key": ours.tls_client_key, "ca": ours.tls_ca_file}
    for name, text in pem.items():
        (place / name).write_text(text)
    common = ["--tls-cert", "cert", "--tls-key", "key", "--tls-ca-file", "ca", "--no-dashboard",
              "--scheduler-file", "scheduler", "--host", "127.0.0.1"]  # fmt: skip
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str, *options: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *common, *options]
        quiet = subprocess.DEVNULL
        started.append(subprocess.Popen(command, cwd=place, stdout=quiet, stderr=quiet))

    try:
        start("scheduler", "--protocol", "tls", "--port", "0")
        for name in ("one", "two"):
            start("worker", "--nthreads", "1", "--no-nanny", "--name", name)
        while not (place / "scheduler").is_file():
            time.sleep(0.2)
        address = json.loads((place / "scheduler").read_text())["address"]
        files = [text for name in pem for text in (f"--{name}", str(place / name))]
        before = _rows(root)
        process = _start(root, "--scheduler", address, *files)
        while _rows(root) == before and process.poll() is None:
            time.sleep(0.5)
        started[0].kill()
        said = process.communicate()[1].decode().strip().splitlines()
        if process.returncode != 2:
            sys.exit(f"the command ended with {process.returncode}: {said}")
        print(f"scheduler killed: {_rows(root)} rows; {said[-1]}", flush=True)
    finally:
        for one in started:
            one.kill()
            one.wait()


def _rows(root: Path) -> int:
    with Record(root / "class.sqlite") as record:
        return len(record.keys())


def _kill_a_worker(pid: int) -> int:
    """Kill one of the workers of Dask; how many were killed."""
    with contextlib.suppress(psutil.NoSuchProcess, IndexError):
        below = psutil.Process(pid).children()
        workers = [one for one in below if "spawn_main" in " ".join(one.cmdline())]
        os.kill(random.choice(workers).pid, signal.SIGKILL)
        return 1
    return 0


if __name__ == "__main__":
    chosen, *numbers = sys.argv[1:] or ["speed"]
    known = {
        "speed": speed,
        "grades": grades,
        "memory": memory,
        "engine": engine,
        "kills": kills,
    }
    if chosen not in known:
        sys.exit(__doc__)
    known[chosen](*map(int, numbers))
