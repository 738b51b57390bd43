"""Archives and folders from strangers, read within bounds.

A *source* is what an instructor downloaded: a zip, a tar or a folder. Inside it lie files of
learners, which nobody has looked at yet, and archives of theirs. Nothing here ever unpacks to a
path that an archive names: members are listed, judged by their names, kinds and sizes, and read one
by one into memory. A member that is hostile is listed with its ``fault``, so that it costs the
hand-in that it belongs to and nobody else's.

What the standard library does not promise is checked here: the size of a zip's directory before it
is loaded, members that overlap in the file, sizes and extended headers of a tar (which some
versions of Python read into memory whole, or loop over), how far a stream may grow, and how long it
may take.
https://docs.python.org/3/library/zipfile.html#decompression-pitfalls
https://docs.python.org/3/library/tarfile.html#hints-for-further-verification
"""

from __future__ import annotations

import bz2
import errno
import io
import lzma
import os
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Self

from grader.classroom.members import (
    MOST_ENTRIES,
    MOST_LEVELS,
    Budget,
    Hostile,
    Member,
    is_litter,
    parts,
    path_fault,
    quoted,
    require_distinct,
)
from grader.course.files import UsageError, reason, shown

MOST_PACKED = 50_000_000
# Above what text ever reaches (deflate ends at about 1,030), for what is large enough to matter.
LARGEST_RATIO, SMALLEST_BOMB = 200, 1_000_000
MOST_NESTED = 2
# Of a tar's extended headers; and of a zip's directory, for each of its entries.
LONGEST_HEADER, LONGEST_ENTRY = 16_384, 400
# One source: a class of 5,000 whose members are what platforms take.
MOST_ENTRIES_IN_SOURCE = 1_000_000
MOST_ENTRIES_ON_DISK = 20_000
MOST_UNPACKED_IN_SOURCE = 20_000_000_000

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
FOREIGN_ARCHIVES = (".rar", ".7z", ".tar.zst", ".gz", ".bz2", ".xz", ".zst", ".iso", ".dmg")

# What the parsers of the standard library raise on bytes that are no archive of theirs.
UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    struct.error,
)


# --- one hand-in ------------------------------------------------------------------------------


def opened(members: Iterable[Member], wanted: frozenset[str]) -> list[Member]:
    """The files of one hand-in that may be looked at: judged, and taken out of its archives.

    Archives are opened where none of the files beside them has one of the names ``wanted``; each
    becomes a folder of its own name. Litter is left out. Raises Hostile for what is no hand-in.
    """
    budget = Budget()
    found = _judged(list(members), budget)
    for level in range(MOST_NESTED + 1):
        if any(parts(one.path)[-1] in wanted for one in found):
            return found
        packed = [one for one in found if one.path.lower().endswith(ARCHIVES)]
        if not packed:
            break
        if level == MOST_NESTED:
            raise Hostile(f"holds archives in archives, more than {MOST_NESTED} deep")
        found = [one for one in found if one not in packed]
        for one in packed:
            found += _unpacked(one, budget)
        require_distinct(one.path for one in found)
    if foreign := next((one.path for one in found if is_archive(one.path)), None):
        raise Hostile(f"is packed as {quoted(foreign)}, which is not read here; a zip or tar is")
    return found


def is_archive(path: str) -> bool:
    """Whether the name says that it is an archive, also of a kind that cannot be read."""
    return path.lower().endswith((*ARCHIVES, *FOREIGN_ARCHIVES))


def _judged(members: list[Member], budget: Budget) -> list[Member]:
    budget.spend(entries=len(members))
    for one in members:
        if fault := path_fault(one.path):
            raise Hostile(fault)
    environments = tuple(
        one.path.removesuffix("pyvenv.cfg") for one in members if one.path.endswith("/pyvenv.cfg")
    )
    found = []
    for one in members:
        if is_litter(one.path) or (environments and one.path.startswith(environments)):
            continue
        if one.fault:
            raise Hostile(one.fault)
        if one.size > max(SMALLEST_BOMB, LARGEST_RATIO * one.packed):
            raise Hostile(
                f"holds {quoted(one.path)}, {one.packed:,} bytes that grow to {one.size:,} once"
                f" unpacked"
            )
        budget.spend(unpacked=one.size)
        found.append(one)
    require_distinct(one.path for one in found)
    return found


def _unpacked(archive: Member, budget: Budget) -> list[Member]:
    """The judged files of an archive, below a folder of the archive's name."""
    name = archive.path.lower()
    if archive.size > MOST_PACKED:
        raise Hostile(f"holds {quoted(archive.path)}, larger than {MOST_PACKED // 1_000_000} MB")
    folder = archive.path[: -len(next(end for end in ARCHIVES if name.endswith(end)))]
    with _readable(archive.path):
        members = _listed(io.BytesIO(archive.read()), budget)
    return [
        replace(one, path=f"{folder}/{'/'.join(parts(one.path))}")
        for one in _judged(members, budget)
    ]


def _is_nonsense(error: Exception) -> bool:
    """Whether the bytes are at fault: a file answers EINVAL where they lead to before its start."""
    return not isinstance(error, OSError) or error.errno == errno.EINVAL


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Turn what the parsers say of bytes that are no whole archive into one clause."""
    try:
        yield
    except (*UNREADABLE, OSError) as error:
        if not _is_nonsense(error):
            raise
        raise Hostile(f"holds {quoted(path)}, an archive that is damaged or not whole") from error


def _listed(file: IO[bytes], budget: Budget) -> list[Member]:
    """The members of a learner's archive, whatever its name says it is."""
    if (kind := _kind(file)) == "zip":
        return _zip_members(file, MOST_ENTRIES * LONGEST_ENTRY, budget.entries)
    if kind in _STREAMS:
        size = file.seek(0, os.SEEK_END)
        room = min(budget.unpacked, max(SMALLEST_BOMB, LARGEST_RATIO * size))
        plain = io.BytesIO()
        if not _decompress(file, kind, plain, room, budget):
            raise Hostile(f"holds an archive of {size:,} bytes that grows beyond {room:,} unpacked")
        file = plain
    return list(_tar_members(file, budget))


# --- a source ---------------------------------------------------------------------------------


@contextmanager
def source(path: Path) -> Iterator[list[Member]]:
    """Every file in a source, in its order; they can be read while the context lasts.

    UsageError where the source itself cannot be read: what one learner put into it never does that.
    """
    with ExitStack() as stack:
        try:
            in_folder = path.is_dir()
            members = list(_folder_members(path)) if in_folder else _file_members(path, stack)
        except (*UNREADABLE, OSError) as error:
            if isinstance(error, OSError) and not _is_nonsense(error):
                raise UsageError(f"{shown(path)} cannot be read: {reason(error)}.") from None
            raise UsageError(f"{shown(path)} is damaged or not whole; download it again.") from None
        except Hostile as error:
            raise UsageError(f"{shown(path)} {error}; unpack it, and give the folder.") from None
        if len(members) > MOST_ENTRIES_IN_SOURCE:
            raise UsageError(f"{shown(path)} holds more than {MOST_ENTRIES_IN_SOURCE:,} files.")
        yield members


def _file_members(path: Path, stack: ExitStack) -> list[Member]:
    if not stat.S_ISREG(path.stat().st_mode):
        raise UsageError(f"{shown(path)} is neither a folder nor an ordinary file.")
    file: IO[bytes] = stack.enter_context(path.open("rb"))
    budget = Budget(MOST_ENTRIES_IN_SOURCE, MOST_UNPACKED_IN_SOURCE, float("inf"))
    if (kind := _kind(file)) == "zip":
        return _zip_members(file, MOST_ENTRIES_IN_SOURCE * LONGEST_ENTRY, MOST_ENTRIES_IN_SOURCE)
    if kind in _STREAMS:
        plain = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - on the stack
        if not _decompress(file, kind, plain, MOST_UNPACKED_IN_SOURCE, budget):
            raise Hostile(f"grows beyond {MOST_UNPACKED_IN_SOURCE // 10**9} GB once unpacked")
        file = plain
    if kind == "" and not path.name.lower().endswith(ARCHIVES):
        raise UsageError(
            f"{shown(path)} is no zip and no tar; give one, or a folder of what was handed in."
        )
    return list(_tar_members(file, budget))


def _folder_members(root: Path) -> Iterator[Member]:
    """The files below a folder; no link is followed, no hidden folder or environment entered."""
    counts: Counter[str] = Counter()
    closed: list[OSError] = []
    for where, folders, names in os.walk(root, onerror=closed.append):
        here = Path(where).relative_to(root).as_posix()
        here = "" if here == "." else f"{here}/"
        folders[:] = sorted(
            name for name in folders if not is_litter(name) and not _is_environment(where, name)
        )
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]  # noqa: PTH114, PTH118
        for name in sorted([*names, *links]):
            if not is_litter(name):
                yield _on_disk(f"{here}{name}", Path(where, name))
        # One learner's folder without an end costs that learner alone.
        top = "/".join(parts(here)[:2])
        counts[top] += len(names) + len(folders)
        if counts[top] > MOST_ENTRIES_ON_DISK or here.count("/") > MOST_LEVELS + 2:
            folders.clear()
            yield Member(f"{here}-", 0, 0, bytes, f"holds more than {MOST_ENTRIES:,} entries")
    for error in closed:
        path = Path(str(error.filename)).relative_to(root).as_posix()
        fault = f"holds {quoted(path)}, which cannot be read: {reason(error)}"
        yield Member(f"{path}/-", 0, 0, bytes, fault)


def _is_environment(where: str, name: str) -> bool:
    return os.path.exists(os.path.join(where, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118 - a path too long is none


def _on_disk(path: str, place: Path) -> Member:
    try:
        kind = place.lstat()
    except OSError as error:
        return Member(
            path, 0, 0, bytes, f"holds {quoted(path)}, which cannot be read: {reason(error)}"
        )
    fault = None
    if stat.S_ISLNK(kind.st_mode):
        fault = f"holds {quoted(path)}, a link"
    elif not stat.S_ISREG(kind.st_mode):
        fault = f"holds {quoted(path)}, a device or another special file"

    def read() -> bytes:
        # What was a file a moment ago may be a link by now.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(place, flags), "rb") as file:
                return file.read(kind.st_size)
        except OSError as error:
            raise Hostile(f"holds {quoted(path)}, which cannot be read: {reason(error)}") from None

    return Member(path, kind.st_size, kind.st_size, read, fault)


def _says_nothing(folder: str) -> bool:
    """Whether a folder's entry can be passed over, also that of the folder itself, ``./``."""
    return not parts(folder) or not path_fault(folder)


# --- zip --------------------------------------------------------------------------------------


def _kind(file: IO[bytes]) -> str:
    """``zip``, the name of a stream's compression, or nothing; from the bytes, not from a name."""
    file.seek(0)
    head = file.read(6)
    file.seek(0)
    for magic, kind in ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz")):
        if head.startswith(magic):
            return kind
    if zipfile.is_zipfile(file):
        file.seek(0)
        return "zip"
    file.seek(0)
    return ""


def _zip_members(file: IO[bytes], most: int, entries: int) -> list[Member]:
    """The files in a zip. Raises Hostile before loading a directory larger than ``most`` bytes."""
    if _directory_size(file) > most:
        raise Hostile("holds a directory of far too many entries")
    archive = zipfile.ZipFile(file)
    infos = archive.infolist()
    if len(infos) > entries:
        raise Hostile(f"holds more than {entries:,} entries; a lab has a handful")
    overlapping = _overlapping(infos)
    members = []
    for info in infos:
        path = _zip_name(info)
        if path.endswith("/") and _says_nothing(path):
            continue
        fault = _zip_fault(info, path)
        if info.header_offset in overlapping:
            fault = f"holds {quoted(path)}, whose bytes are also those of another file"
        read = partial(_read_zipped, archive, info, path)
        members.append(Member(path, info.file_size, info.compress_size, read, fault))
    return members


def _directory_size(file: IO[bytes]) -> int:
    """How many bytes of directory the end of a zip announces; zipfile would read that many.

    The records: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.14 to 4.3.16.
    """
    length = file.seek(0, os.SEEK_END)
    start = max(0, length - 65_557 - 76)
    file.seek(start)
    tail = file.read()
    file.seek(0)
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) < end + 22:
        return 0
    announced = [int.from_bytes(tail[end + 12 : end + 16], "little")]
    large = end - 20 - 56  # the record of zip64 and its locator stand right before
    if large >= 0 and tail[end - 20 : end - 16] == b"PK\6\7":
        announced = [int.from_bytes(tail[large + 40 : large + 48], "little")]
    return max(announced)


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Where members begin that share bytes with the one before: how a small zip grows without end.

    https://www.bamsoftware.com/hacks/zipbomb/
    """
    shared = set()
    end = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end:
            shared.add(info.header_offset)
        end = max(end, info.header_offset + 30 + info.compress_size)
    return shared


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name of a member. Old Windows programs separate by backslashes, and name no encoding."""
    name = info.orig_filename
    if not info.flag_bits & 0x800 and not name.isascii():
        # What zipfile read as code page 437 is mostly UTF-8 whose flag nobody set.
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _zip_fault(info: zipfile.ZipInfo, path: str) -> str | None:
    mode = info.external_attr >> 16 if info.create_system == 3 else 0
    if info.flag_bits & 0x1:
        return f"holds {quoted(path)}, which is encrypted"
    if stat.S_ISLNK(mode):
        return f"holds {quoted(path)}, a link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return f"holds {quoted(path)}, a device or another special file"
    # The other methods cannot be unpacked piece by piece here, so that memory stays bounded.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"holds {quoted(path)}, packed by another method than deflate"
    return None


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> bytes:
    with _readable(path), archive.open(info) as file:
        content = file.read(info.file_size)
        # The check sum is compared where the file ends.
        if len(content) != info.file_size or file.read(1):
            raise zipfile.BadZipFile("another size than announced")
        return content


# --- tar --------------------------------------------------------------------------------------

_STREAMS: dict[str, Callable[[], Any]] = {
    "gz": lambda: zlib.decompressobj(wbits=31),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=128_000_000),
}
_STEP = 1 << 18


def _decompress(file: IO[bytes], kind: str, target: IO[bytes], most: int, budget: Budget) -> bool:
    """Unpack a compressed file; False when it grows beyond ``most`` bytes."""
    file.seek(0)
    written = 0
    for plain in _pieces(file, kind):
        budget.check()
        written += len(plain)
        if written > most:
            return False
        target.write(plain)
    return True


def _pieces(file: IO[bytes], kind: str) -> Iterator[bytes]:
    """What is in a compressed file, in short pieces, all streams of it behind one another."""
    piece = file.read(_STEP)
    while piece:
        unpack = _STREAMS[kind]()
        while True:
            try:
                plain = unpack.decompress(piece, _STEP)
            except OSError as error:  # what bz2 calls a fault in the data
                raise EOFError(str(error)) from None
            yield plain
            if unpack.eof:
                break
            piece = getattr(unpack, "unconsumed_tail", b"")
            if (
                not piece
                and getattr(unpack, "needs_input", True)
                and not (piece := file.read(_STEP))
            ):
                raise EOFError("the stream ends early")
        # Programs that write in blocks fill the last one up with zeros.
        piece = unpack.unused_data.lstrip(b"\0")
        while not piece and (more := file.read(_STEP)):
            piece = more.lstrip(b"\0")


def _tar_members(file: IO[bytes], budget: Budget) -> Iterator[Member]:
    """The files in a tar that is not compressed."""
    file.seek(0)
    with tarfile.TarFile(
        fileobj=file, mode="r", tarinfo=_Header, errors="surrogateescape"
    ) as archive:
        for number, info in enumerate(archive):
            budget.check(entries=number)
            if info.size < 0:
                raise tarfile.ReadError("a size below zero")
            if info.isdir() and _says_nothing(info.name):
                continue
            read = partial(_read_at, file, info.offset_data, info.size, info.name)
            yield Member(info.name, info.size, info.size, read, _tar_fault(info))


class _Header(tarfile.TarInfo):
    """A header of a tar, refused before tarfile believes what it says about sizes."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a block of 512 bytes."""
        header = super().frombuf(buf, encoding, errors)
        extended = header.type in (
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
        )
        if header.size < 0 or (extended and header.size > LONGEST_HEADER):
            raise tarfile.ReadError("a header of an impossible size")
        return header


def _tar_fault(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return f"holds {quoted(info.name)}, a link"
    if not info.isreg() or info.issparse():
        return f"holds {quoted(info.name)}, a device or another special file"
    return None


def _read_at(file: IO[bytes], offset: int, size: int, path: str) -> bytes:
    file.seek(offset)
    content = file.read(size)
    if len(content) != size:
        raise Hostile(f"holds {quoted(path)}, which is not whole")
    return content
