"""The words of a terminal: what is said, how wide, in which colour, and with which exit code.

Light on purpose: ``labs --help`` loads this and click, and nothing else of the course.
"""

from __future__ import annotations

import codecs
import errno
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader import __version__
from grader.cloud.words import clean

if TYPE_CHECKING:
    from grader.course.lab import Lab

# Done and everything met; not everything met; used wrongly, or impossible here; our own fault;
# ended by Ctrl-C, as shells expect.
MET, UNMET, MISUSED, FAULT, INTERRUPTED = 0, 1, 2, 3, 130

WIDTH = 80

_ANSI = {"good": "32", "bad": "31", "dim": "2", "strong": "1"}
# What stands in for a character that the terminal's encoding lacks.
_PLAIN = str.maketrans(
    {
        "…": "...",
        "→": "->",
        "←": "<-",
        "–": "-",
        "—": "-",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "×": "x",
        "≥": ">=",
        "≤": "<=",
        "≠": "!=",
        "·": "-",
        "•": "-",
        "\u00a0": " ",
    }
)
Paint = Callable[[str, str], str]


# --- saying -----------------------------------------------------------------------------------


def say(text: str) -> None:
    """Print a line on stdout."""
    emit(text + "\n")


def emit(text: str) -> None:
    """Print text on stdout as far as its encoding can carry it. UsageError when it cannot be."""
    try:
        click.echo(encodable(text, sys.stdout.encoding), nl=False)
    except BrokenPipeError:
        # Whoever read our output has gone (`labs list | head -1`). The rest goes nowhere, and the
        # exit code still says how it went.
        to_nowhere(sys.stdout.fileno())
    except OSError as error:
        from grader.course.files import UsageError

        to_nowhere(sys.stdout.fileno())
        raise UsageError(f"Standard output cannot be written: {reason(error)}.") from None


def to_nowhere(descriptor: int) -> None:
    """Let what is still written to ``descriptor`` vanish, so that no exit fails on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def warn(*sentences: str) -> None:
    """Print sentences on stderr, each under our name."""
    for sentence in sentences:
        with suppress(OSError):  # there is nowhere left to say it
            click.echo(f"labs: {encodable(sentence, sys.stderr.encoding)}", err=True)


def reason(error: OSError) -> str:
    """Why the machine refused, in a few words without a capital."""
    return (error.strerror or str(error)).lower().rstrip(".")


# What a machine refuses whatever the program: no room, no rights to write, too much open, a path
# that is too long or leads in a circle.
_REFUSALS = ("ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE", "ENOMEM", "ENAMETOOLONG", "ELOOP")


def is_refusal(error: Exception) -> bool:
    """Whether it is the machine's state that makes a command impossible, and no fault of ours."""
    return isinstance(error, OSError) and errno.errorcode.get(error.errno or 0) in _REFUSALS


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what the disk refuses into one sentence."""
    from grader.course.files import UsageError, shown

    try:
        yield
    except OSError as error:
        raise UsageError(f"{shown(place)} cannot be written: {reason(error)}.") from None


# --- form -------------------------------------------------------------------------------------


def plain(text: str, style: str) -> str:
    """No colour: what ``NO_COLOR``, a pipe or a file gets."""
    return text


def coloured(text: str, style: str) -> str:
    """ANSI colour for a terminal; ``style`` is one of good, bad, dim, strong."""
    return f"\x1b[{_ANSI[style]}m{text}\x1b[0m"


def paint_for(stream: Any) -> Paint:
    """Colour only for a terminal that wants it. https://no-color.org"""
    wanted = stream.isatty() and not os.environ.get("NO_COLOR")
    return coloured if wanted and os.environ.get("TERM") != "dumb" else plain


def shows_blocks() -> bool:
    """Whether what is printed can show the block characters that pictures of data are made of."""
    return encodable("▁█", sys.stdout.encoding) == "▁█"


def wrapped(text: str, width: int = WIDTH, indent: int = 0) -> list[str]:
    """A sentence in lines of at most ``width`` characters; commands in it are not broken."""
    pad = " " * indent
    return textwrap.wrap(
        clean(text), width, initial_indent=pad, subsequent_indent=pad, break_on_hyphens=False
    ) or [""]


def encodable(text: str, encoding: str | None) -> str:
    """Text that ``encoding`` can carry: plain stand-ins first, escapes for whatever is left."""
    name = encoding or "ascii"
    try:
        codecs.lookup(name)
    except LookupError:
        name = "ascii"
    if _fits(text, name):
        return text
    text = "".join(c if _fits(c, name) else c.translate(_PLAIN) for c in text)
    return text.encode(name, "backslashreplace").decode(name)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


# --- while something runs ---------------------------------------------------------------------


class Status:
    """Progress on stderr: one line that is rewritten, where stderr is a terminal.

    Elsewhere nothing is said, or, with ``lines``, a line every ``seconds_between``.
    """

    def __init__(self, *, lines: bool = False, seconds_between: float = 5.0) -> None:
        self.stream = sys.stderr
        self.live = self.stream.isatty()
        self.lines = lines
        self.seconds_between = seconds_between
        self.last: float | None = None
        self.width = 0

    def __enter__(self) -> Status:
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()

    def __call__(self, text: str) -> None:
        """Say what is being done now."""
        from time import monotonic

        text = encodable(clean(text).replace("\n", " "), self.stream.encoding)
        if self.live:
            self._rewrite(text if len(text) < 79 else text[:75] + "...")
        elif self.lines and (self.last is None or monotonic() - self.last >= self.seconds_between):
            self.last = monotonic()
            print(f"{text} ...", file=self.stream, flush=True)

    def of(self, lab: Lab) -> Callable[[str], None]:
        """The same, beginning with the lab's number."""
        return lambda text: self(f"Lab {lab.number}: {text}")

    def clear(self) -> None:
        """Take the line away."""
        self._rewrite("")

    def _rewrite(self, text: str) -> None:
        if self.live:
            print(f"\r{text:<{self.width}}\r{text}", end="", file=self.stream, flush=True)
            self.width = len(text)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C, a termination or a closed terminal end the block in an orderly way.

    It ends even where something in the block swallows the interrupt, as pytest does.
    """
    with ended_by_signals() as pressed:
        try:
            yield
        except Exception:
            if not pressed:
                raise
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def ended_by_signals() -> Iterator[list[int]]:
    """Raise KeyboardInterrupt for what ends a session; gives the numbers of what came so far.

    What the caller's shell made this process ignore (``nohup``) stays ignored.
    """
    import signal
    import threading

    from grader.course.warm import ENDING

    came: list[int] = []

    def end(number: int, frame: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    here = threading.current_thread() is threading.main_thread()
    numbers = [getattr(signal, name) for name in ENDING if here]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN or number == signal.SIGINT:
            signal.signal(number, end)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- our own faults ---------------------------------------------------------------------------


def apology(error: Exception) -> str:
    """What to say about a fault of ours, whose traceback goes into a file."""
    place = _keep_traceback(error)
    where = f" What happened is in {place}." if place else ""
    return f"The grader failed. That is our fault, not yours: please report it.{where}"


def _keep_traceback(error: Exception) -> Path | None:
    """Write down what happened, in the workspace or in the temporary folder; None if in neither.

    A clone that is not worked in gets no such file: the folder has to be above the current one
    and to hold a learner's state already.
    """
    import platform
    import tempfile
    import traceback

    from grader.course.files import UsageError
    from grader.course.workspace import workspace

    text = "\n".join(
        [
            f"labs {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"command: labs {' '.join(sys.argv[1:])}",
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    folders = []
    with suppress(OSError, UsageError):  # no folder can be written, or the current one is gone
        space = workspace()
        if space and space.state.is_dir() and Path.cwd().is_relative_to(space.root):
            folders.append(space.state)
        folders.append(Path(tempfile.gettempdir()))
    for folder in folders:
        try:
            handle, name = tempfile.mkstemp(prefix="fault-", suffix=".txt", dir=folder, text=True)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            continue
        return Path(name)
    return None
