"""Fuzz the command line: whatever is typed or found, it exits with 0, 1 or 2, never by our fault.

``python benchmarks/fuzz.py SECONDS [SEED]`` runs commands with hostile arguments and variables in a
workspace whose progress file is mutated, and prints each input that ended otherwise.
``tests/desk/test_fuzz.py`` runs a few hundred of the same, with a judge that answers at once.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from grader.desk import cli

# No word leads out of the current folder: some commands write.
WORDS = (
    *("0", "1", "2", "7", "-1", "1e400", "nan", "inf", "9" * 5_000, "", " ", "."),
    *("\x1b[2J", "\udcff", "ä", "注文", "a" * 5_000, "a/" * 900, "--", "-", "--json", "-v"),
    *("all", "lab2", "fan-out", "NN", "README.md", "labs", ".labs", "/dev/null", "/dev/full"),
    *("'", '"', "$(x)", "%s", "{0}", "\n", "index", "reference/cli#exit-codes", "#"),
)
OPTIONS = {
    "init": (),
    "list": ("--json",),
    "grade": ("--path", "--fill", "--seed", "--only", "--json", "--junit", "-v"),
    "hint": ("--step", "--path"),
    "reset": ("--best",),
    "solution": ("--give-up", "--to"),
    "cost": ("--path", "--writes-per-second", "--item-bytes", "--passing", "--messages", "--json"),
    "check": ("--json", "--sarif", "--parameter", "--skip", "--allow-unknown", "-v"),
    "docs": ("--print",),
    "nonsense": (),
}
PIECES = (
    *('{"schema": "labs/progress/v1", "labs": {', '"fan-out": ', "{", "}", "[", "]", ",", ":", "1"),
    *(
        '"runs"',
        '"best"',
        '"hints"',
        "null",
        "true",
        "nan",
        "1e999",
        "9" * 5_000,
        '"\\ud800"',
        '""',
    ),
    *('"\\ud800"', "[" * 9_000, '{"a":' * 9_000, "\x00", "ä", '"best_files": "../.."'),
)


def arguments(source: random.Random) -> list[str]:
    """A command with some of its options and any words."""
    name = source.choice(list(OPTIONS))
    words = [name]
    for _ in range(source.randrange(4)):
        known = OPTIONS[name]
        if known and source.random() < 0.5:
            words.append(source.choice(known))
        else:
            words.append(source.choice(WORDS))
    return words


def progress(source: random.Random, sound: str) -> bytes:
    """A progress file: pieces in any order, or a sound one with bytes changed."""
    if source.random() < 0.5:
        text = "".join(source.choices(PIECES, k=source.randrange(1, 12)))
        return text.encode("utf-8", "surrogatepass")
    content = bytearray(sound.encode())
    for _ in range(source.randrange(1, 4)):
        content[source.randrange(len(content))] = source.randrange(256)
    return bytes(content)


def environment(source: random.Random) -> dict[str, str]:
    """Variables of the caller's, odd ones among them."""
    odd = ("", "0", "nowhere", "dumb", "x" * 5_000, "ä")
    names = ("TERM", "NO_COLOR", "COLUMNS", "LANG", "AWS_PROFILE", "AWS_REGION", "PYTEST_ADDOPTS")
    return {name: source.choice(odd) for name in names if source.random() < 0.4}


@contextlib.contextmanager
def set_to(changes: dict[str, str]) -> Iterator[None]:
    """The process's environment with ``changes``, for as long as the block runs."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def trial(source: random.Random, state: Path, sound: str) -> str | None:
    """Run one command in the current folder; None when it ended well, else what was tried."""
    words, odd = arguments(source), environment(source)
    if source.random() < 0.3:
        (state / "progress.json").write_bytes(progress(source, sound))
    out, err = io.StringIO(), io.StringIO()
    with set_to(odd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(words)
    fault = code not in (0, 1, 2) or "our fault" in err.getvalue() or "Traceback" in err.getvalue()
    shown = [word if len(word) < 60 else f"{word[:20]}... ({len(word)})" for word in words]
    return f"exit {code}: {shown} with {odd}: {err.getvalue()[:300]}" if fault else None


def campaign(
    source: random.Random, state: Path, go_on: Callable[[int], bool]
) -> tuple[int, list[str]]:
    """Trials in the current workspace for as long as ``go_on`` says; how many, and what failed."""
    sound = (state / "progress.json").read_text(encoding="utf-8")
    found, tried = [], 0
    while go_on(tried):
        tried += 1
        if (failed := trial(source, state, sound)) is not None:
            found.append(failed)
    return tried, found


def main() -> int:
    """Fuzz for the seconds given, in a workspace of its own; 1 when something was found."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        os.chdir(place)
        OPTIONS.pop("grade")  # seconds each; tests/desk/test_fuzz.py asks it of a quick judge
        with contextlib.redirect_stdout(io.StringIO()):
            cli.main(["init", "."])
            cli.main(["hint", "2", "1"])
        end = time.monotonic() + seconds
        tried, found = campaign(
            random.Random(seed), Path(place) / ".labs", lambda tried: time.monotonic() < end
        )
        os.chdir("/")
    for failed in found:
        print(failed)
    print(f"{tried} commands with seed {seed}: {len(found)} ended as a fault of ours")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
