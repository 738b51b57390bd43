"""Files of a lab, read as a learner's are to be read and written so that a kill leaves no half."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from grader.cloud.scratch import Scratch

PACKAGE = Path(__file__).resolve().parents[1]

# What machines leave in folders; no part of any lab.
LITTER = ("__pycache__", ".DS_Store", "Thumbs.db", "desktop.ini")
# Far above any sensible answer; a larger file is a mistake, and reading it would only cost memory.
LARGEST_FILE = 1_000_000
# What a grade's folders hold at a time is far below this.
ROOM = 1_000_000


class UsageError(Exception):
    """The command was used wrongly. The message is one clear sentence for the learner; exit 2."""


def files_in(folder: Path, *, foreign: bool = True) -> list[str]:
    """Relative paths (forward slashes, sorted) of the files in ``folder`` that are not litter.

    Without ``foreign``, virtual environments and hidden folders are not entered.
    """
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LITTER)
        if not foreign:
            folders[:] = [name for name in folders if not _is_foreign(Path(where) / name)]
        here = Path(where).relative_to(folder)
        found += [
            (here / name).as_posix()
            for name in names
            if name not in LITTER and not name.endswith((".pyc", "~", ".swp")) and not is_part(name)
        ]
    return sorted(found)


def _is_foreign(folder: Path) -> bool:
    return folder.name.startswith(".") or os.path.exists(folder / "pyvenv.cfg")  # noqa: PTH110 - a path too long is none


def is_part(name: str) -> bool:
    """True for the unfinished file that a killed ``write_whole`` leaves behind."""
    return name.startswith(".") and name.endswith(".part")


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of every file's content, in hexadecimal, by relative path."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def content_hash(files: Mapping[str, bytes]) -> str:
    """One SHA-256 over the names and contents of files, in hexadecimal: equal for equal files."""
    whole = hashlib.sha256()
    for name, digest in digests(files).items():
        whole.update(f"{digest} {name}\0".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


@contextmanager
def written(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A temporary folder that holds just these files."""
    with Scratch() as folder:
        write_files(folder, files)
        yield folder


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below ``folder``; each one is either the old one or the new one, never half."""
    for name, content in files.items():
        write_whole(folder / name, content)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by renaming a finished one over it, so that a kill leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read; a lab's files are ordinary ones.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def require_room() -> None:
    """UsageError unless this machine has a clock and room in its temporary folder for a grade."""
    try:
        time.time()
    except OverflowError:
        raise UsageError(
            "This machine's clock stands beyond 2262, which no Python reads."
        ) from None
    try:
        with tempfile.TemporaryFile(prefix="labs-") as file:
            file.write(bytes(ROOM))
            file.flush()
    except OSError as error:
        folder = tempfile.tempdir or "the temporary folder"
        raise UsageError(
            f"Nothing can be graded, for {folder} cannot be written: {reason(error)}."
            " Make room there, or set TMPDIR to another folder."
        ) from None


def require_folder(folder: Path) -> None:
    """UsageError unless ``folder`` is a folder that can be listed."""
    try:
        os.listdir(folder)  # noqa: PTH208 - the plainest call that fails for every bad folder
    except FileNotFoundError:
        raise UsageError(f"There is no folder {shown(folder)}.") from None
    except NotADirectoryError:
        raise UsageError(f"{shown(folder)} is a file; give the folder that holds it.") from None
    except OSError as error:
        raise UsageError(f"The folder {shown(folder)} cannot be read: {reason(error)}.") from None


def shown(path: Path) -> str:
    """A path as the learner would type it: relative to the current folder where it is below it."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except (ValueError, OSError, RuntimeError):  # RuntimeError: a link to itself, Python < 3.13
        return str(path)


def exists_exactly(folder: Path, name: str) -> bool:
    """True when ``folder`` holds ``name`` spelt just so, on any file system.

    Lambda runs on Linux, where ``Handler.py`` is not ``handler.py``: what a case-insensitive disk
    would accept must be told here. Raises UsageError when only the case is wrong.
    """
    here = folder
    for part in name.split("/"):
        try:
            present = os.listdir(here)  # noqa: PTH208 - names as the disk spells them
        except FileNotFoundError:
            return False
        except NotADirectoryError:
            raise UsageError(f"{shown(here)} is a file where a folder is needed.") from None
        except OSError as error:
            raise UsageError(f"{shown(here)} cannot be read: {reason(error)}.") from None
        if part not in present:
            for other in present:
                if other.lower() == part.lower():
                    raise UsageError(
                        f"{shown(here)} holds {other}, and the lab needs {part}: Lambda tells upper"
                        f" from lower case, so rename the file."
                    )
            return False
        here = here / part
    return True


def read_text_file(folder: Path, name: str) -> bytes:
    """The content of a text file that is neither empty nor odd; UsageError says what is odd."""
    path = folder / name
    try:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise UsageError(f"{shown(path)} is a symbolic link; put the file itself there.")
        if stat.S_ISDIR(kind):
            raise UsageError(f"{shown(path)} is a folder; the lab needs a file of that name.")
        if not stat.S_ISREG(kind):
            raise UsageError(f"{shown(path)} is not an ordinary file.")
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{shown(path)} is larger than {LARGEST_FILE:,} bytes.")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {reason(error)}.") from None
    if fault := text_fault(content):
        raise UsageError(f"{shown(path)} {fault}.")
    return content


def text_fault(content: bytes) -> str | None:
    """Why bytes are no text that a lab can read, as a clause after the file's name."""
    if not content.strip():
        return "is empty"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "is saved as UTF-16; save it as UTF-8"
    if (zero := content.find(b"\0")) >= 0:
        return f"is not a text file: byte {zero} is zero"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"is not UTF-8 text: line {line} holds the byte 0x{content[error.start]:02x}"
    return None


def content_within(path: Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes; no more of it is read. UsageError."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {reason(error)}.") from None
    if len(content) > most:
        raise UsageError(f"{shown(path)} is larger than {most:,} bytes.")
    return content


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def reason(error: OSError) -> str:
    """Why the machine refused, in a few words without a capital."""
    return {errno.EACCES: "permission denied", errno.ENOENT: "it is not there"}.get(
        error.errno or 0, (error.strerror or str(error)).lower()
    )


def is_clone(folder: Path) -> bool:
    """True for a checkout of this repository: the labs beside the package and its pristine copy."""
    return (
        (folder / "pyproject.toml").is_file()
        and (folder / "labs").is_dir()
        and (folder / "grader" / "course" / "starters").is_dir()
    )
