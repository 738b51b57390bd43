"""The same grade at load 0 and with eight busy loops beside it: byte for byte, never *broken*.

    python benchmarks/load.py [TIMES]

Grades kept answers with threads, sleeps, time-outs and hangs TIMES times at each load (20 unless
given) and compares the documents. Exit code 1 when one differs.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from grader.course import judge, lab

BUSY = 8
# What is put in front of the solution's handler of lab 2: each makes one kind of waiting.
ANSWERS = {
    "threads": """
from concurrent.futures import ThreadPoolExecutor
import time
def _beside(function):
    def handler(event, context):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: time.sleep(0.01), range(16)))
            return pool.submit(function, event, context).result()
    return handler
""",
    "sleeps": """
import time
def _beside(function):
    def handler(event, context):
        time.sleep(0.2)
        return function(event, context)
    return handler
""",
    "time-outs": """
import threading
def _beside(function):
    def handler(event, context):
        if len(event["Records"]) > 3:
            threading.Event().wait(600)
        return function(event, context)
    return handler
""",
    "hangs": """
def _beside(function):
    def handler(event, context):
        while len(event["Records"]) > 3:
            pass
        return function(event, context)
    return handler
""",
}


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that compute for as long as the block runs."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for one in started:
            one.kill()
            one.wait()


def document(name: str) -> str:
    """The grade's JSON of lab 2's solution with this way of waiting around its handler."""
    lab2 = lab.find("2")
    with TemporaryDirectory() as place:
        folder = Path(place)
        for file in lab2.editable:
            (folder / file).write_bytes((lab2.solution / file).read_bytes())
        handler = folder / "handler.py"
        code = handler.read_text(encoding="utf-8")
        end = "\n\nhandler = _beside(handler)\n"
        # A line of `from __future__` has to stay first.
        handler.write_text(f"{code}\n{ANSWERS[name]}{end}", encoding="utf-8")
        graded = judge.grade(lab2, folder)
    return json.dumps(graded.document(), sort_keys=True)


def main() -> int:
    """Compare, and say what differed."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    wrong = 0
    for name in ANSWERS:
        seen = []
        for loops in (0, BUSY):
            with busy(loops):
                seen += [document(name) for _ in range(times)]
        broken = sum(json.loads(one)["status"] == "broken" for one in seen)
        wrong += len(set(seen)) > 1 or broken > 0
        score = json.loads(seen[0])["score"]
        print(f"{name:>10}: {len(set(seen))} document(s) of {len(seen)}, {score} points,"
              f" {broken} broken")  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
