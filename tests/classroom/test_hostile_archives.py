"""A hostile hand-in is refused in one sentence, in little time, and costs nobody else anything."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import struct
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from class_room import Room
from exports import CLASS, STAMP, answer, below, packed, roster

from grader.classroom import archives
from grader.classroom.identity import People, Unknown
from grader.classroom.members import Budget, Hostile, Member, path_fault, require_distinct
from grader.classroom.platforms import Course, take_apart
from grader.classroom.roster import Learner
from grader.course.files import UsageError
from grader.course.lab import labs

MINE = answer("2", "solution", "mine")
ADA, EVE = CLASS[0], CLASS[-1]
MB = 1_000_000


def zipped(change: Callable[[zipfile.ZipFile], None]) -> bytes:
    """A good hand-in, and what ``change`` adds to it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in MINE.items():
            archive.writestr(zipfile.ZipInfo(name, STAMP), content, zipfile.ZIP_DEFLATED)
        change(archive)
    return out.getvalue()


def tarred(change: Callable[[tarfile.TarFile], None], **form: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", **form) as tar:  # type: ignore[call-overload]
        for name, content in MINE.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        change(tar)
    return out.getvalue()


def named(*names: str) -> dict[str, bytes]:
    """A zip and a tar with files of these names beside the good ones."""

    def zip_them(archive: zipfile.ZipFile) -> None:
        for name in names:
            info = zipfile.ZipInfo("x", STAMP)
            info.filename = info.orig_filename = name
            archive.writestr(info, b"x")

    def tar_them(tar: tarfile.TarFile) -> None:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))

    return {"work.zip": zipped(zip_them), "work.tar": tarred(tar_them)}


def latin() -> bytes:
    """A tar whose names are in Latin-1."""
    return tarred(
        lambda tar: tar.addfile(tarfile.TarInfo("caf\u00e9.py")),
        encoding="latin-1",
        format=tarfile.GNU_FORMAT,
    )


def special(kind: bytes, target: str = "/etc/passwd") -> bytes:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = kind, target
        tar.addfile(info)

    return tarred(add)


def zip_mode(mode: int, content: bytes = b"/etc/passwd") -> bytes:
    def add(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("odd", STAMP)
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, content)

    return zipped(add)


def patched(data: bytes, magic: bytes, offset: int, value: bytes, which: int = -1) -> bytes:
    """Bytes with another value in the last header of that magic number."""
    at = data.rfind(magic) if which < 0 else data.find(magic)
    assert at >= 0
    return data[: at + offset] + value + data[at + offset + len(value) :]


def bomb(kind: str, tens: int = 6) -> bytes:
    """Ten million zeros so many times; the streams of them stand behind one another."""
    if kind == "zip":
        return zipped(lambda archive: archive.writestr("zeros.bin", bytes(10 * MB)))
    pack: Callable[[bytes], bytes] = {"gz": gzip.compress, "xz": lzma.compress}[kind]
    info = tarfile.TarInfo("zeros.bin")
    info.size = tens * 10 * MB
    return pack(info.tobuf()) + pack(bytes(10 * MB)) * tens


def overlapping(times: int = 300) -> bytes:
    """Directory entries that all mean the same bytes of a few kilobytes."""
    data = packed({"handler.py": b"x = 1\n", "big.bin": random.Random(1).randbytes(50_000)})
    archive = zipfile.ZipFile(io.BytesIO(data))
    end = data.rfind(b"PK\5\6")
    start = struct.unpack("<L", data[end + 16 : end + 20])[0]
    entries = b""
    for number in range(times):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as single:
            single.writestr(zipfile.ZipInfo(f"big{number:04}", STAMP), b"")
        one = out.getvalue()
        header = bytearray(one[one.find(b"PK\1\2") : one.rfind(b"PK\5\6")])
        info = archive.getinfo("big.bin")
        struct.pack_into("<LLL", header, 16, info.CRC, info.compress_size, info.file_size)
        struct.pack_into("<H", header, 10, info.compress_type)
        struct.pack_into("<L", header, 42, info.header_offset)
        entries += header
    tail = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, times, times, len(entries), start, 0)
    return data[:start] + entries + tail


def nested(levels: int) -> bytes:
    data = packed(MINE)
    for level in range(levels):
        data = packed({f"level{level}.zip": data})
    return data


def pax(records: bytes) -> bytes:
    """A tar with an extended header of these records before its last file."""

    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("header")
        info.type, info.size = tarfile.XHDTYPE, len(records)
        tar.addfile(info, io.BytesIO(records))
        last = tarfile.TarInfo("last")
        last.size = 1
        tar.addfile(last, io.BytesIO(b"x"))

    return tarred(add)


def record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(f"{length}".encode() + body) != length:
        length += 1
    return f"{length}".encode() + body


def tar_size(value: bytes) -> bytes:
    """A tar whose last header says another size, with the check sum that fits."""
    data = bytearray(tarred(lambda tar: tar.addfile(tarfile.TarInfo("odd"))))
    at = data.rfind(b"odd\0")
    data[at + 124 : at + 136] = value.ljust(12, b"\0")[:12]
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = f"{sum(data[at : at + 512]):06o}\0 ".encode()
    return bytes(data)


GOOD = packed(MINE)
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "climbing": ("zip", lambda: named("../../evil.py")["work.zip"], "leads out of its folder"),
    "climbing-tar": ("tar", lambda: named("a/../../evil.py")["work.tar"], "leads out of its folder"),
    "climbing-backslash": ("zip", lambda: named("..\\evil.py")["work.zip"], "leads out of its folder"),
    "climbing-in-litter": ("zip", lambda: named(".git/../../evil")["work.zip"], "leads out"),
    "absolute": ("zip", lambda: named("/etc/cron.d/evil")["work.zip"], "absolute name"),
    "absolute-tar": ("tar", lambda: named("/etc/cron.d/evil")["work.tar"], "absolute name"),
    "drive": ("zip", lambda: named("C:\\evil.py")["work.zip"], "absolute name"),
    "share": ("zip", lambda: named("\\\\host\\evil.py")["work.zip"], "absolute name"),
    "zero-byte": ("zip", lambda: named("handler.py\0.txt")["work.zip"], "control character"),
    "control": ("tar", lambda: named("a\x1b[2Jb")["work.tar"], "control character"),
    "newline": ("zip", lambda: named("a\nb")["work.zip"], "control character"),
    "device-name": ("zip", lambda: named("data/NUL.txt")["work.zip"], "Windows keeps for a device"),
    "encoding": ("tar", latin, "not written in UTF-8"),
    "long-name": ("zip", lambda: named("x" * 300)["work.zip"], "longer than 255 bytes"),
    "deep": ("zip", lambda: named("a/" * 40 + "x")["work.zip"], "more than 20 folders deep"),
    "case": ("zip", lambda: named("Handler.py")["work.zip"], "one on some disks"),
    "case-folder": ("tar", lambda: named("A/x.py", "a/y.py")["work.tar"], "one on some disks"),
    "accent": ("zip", lambda: named("caf\u00e9.py", "cafe\u0301.py")["work.zip"], "one on some"),
    "twice": ("tar", lambda: named("handler.py")["work.tar"], "twice"),
    "file-and-folder": ("tar", lambda: named("handler.py/x")["work.tar"], "as a file and as a folder"),
    "link-zip": ("zip", lambda: zip_mode(0o120777), "a link"),
    "fifo-zip": ("zip", lambda: zip_mode(0o010644, b""), "a device or another special file"),
    "symlink": ("tar", lambda: special(tarfile.SYMTYPE), "a link"),
    "hard-link": ("tar", lambda: special(tarfile.LNKTYPE, "handler.py"), "a link"),
    "device": ("tar", lambda: special(tarfile.CHRTYPE), "a device or another special file"),
    "fifo": ("tar", lambda: special(tarfile.FIFOTYPE), "a device or another special file"),
    "unknown-kind": ("tar", lambda: special(b"Z"), "a device or another special file"),
    "bomb-zip": ("zip", lambda: bomb("zip"), "once unpacked"),
    "bomb-gz": ("tar.gz", lambda: bomb("gz"), "unpacked"),
    "bomb-xz": ("tar.xz", lambda: bomb("xz"), "unpacked"),
    "bomb-nested": ("zip", lambda: packed({"a.zip": bomb("zip"), "b.zip": GOOD}), "once unpacked"),
    "bomb-overlapping": ("zip", overlapping, "also those of another file"),
    "ten-thousand": (
        "zip",
        lambda: packed({f"f{n}": b"" for n in range(10_000)}),
        "entries; a lab has a handful",
    ),
    "ten-thousand-tar": (
        "tar",
        lambda: packed({f"f{n}": b"" for n in range(5_001)}, "tar"),
        "entries; a lab has a handful",
    ),
    "archives-of-archives": ("zip", lambda: nested(4), "archives in archives"),
    "encrypted": (
        "zip",
        lambda: patched(patched(GOOD, LOCAL, 6, b"\1\0", 0), CENTRAL, 8, b"\1\0"),
        "encrypted",
    ),
    "truncated-zip": ("zip", lambda: GOOD[:-40], "damaged or not whole"),
    "truncated-gz": ("tar.gz", lambda: packed(MINE, "tar.gz")[:-40], "damaged or not whole"),
    "truncated-tar": ("tar", lambda: packed(MINE, "tar")[:700], "damaged or not whole"),
    "no-archive": ("zip", lambda: b"handler", "damaged or not whole"),
    "empty": ("zip", lambda: b"", "damaged or not whole"),
    "check-sum": ("zip", lambda: patched(GOOD, CENTRAL, 16, b"\0\0\0\0", 0), "damaged or not whole"),
    "lying-size": ("zip", lambda: patched(GOOD, CENTRAL, 24, b"\5\0\0\0", 0), "damaged or not whole"),
    "huge-size": (
        "zip",
        lambda: patched(GOOD, CENTRAL, 24, b"\xfe\xff\xff\xff", 0),
        "once unpacked",
    ),
    "lying-directory": (
        "zip",
        lambda: patched(GOOD, END, 12, b"\xff\xff\xff\x7f"),
        "directory of far too many entries",
    ),
    "lying-zip64": (
        "zip",
        lambda: GOOD[: GOOD.rfind(END)]
        + struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, 2**62, 0)
        + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
        + GOOD[GOOD.rfind(END) :],
        "directory of far too many entries",
    ),
    "another-name-inside": (
        "zip",
        lambda: GOOD.replace(b"handler.py", b"hangler.py", 1),
        "damaged or not whole",
    ),
    "method": ("zip", lambda: patched(GOOD, CENTRAL, 10, b"\x0c\0"), "another method than deflate"),
    "rar": ("rar", lambda: b"Rar!\x1a\x07\0", "is not read here; a zip or tar is"),
    "pax-huge": ("tar", lambda: pax(record("x", "1" * 100_000)), "damaged or not whole"),
    "pax-climbing": ("tar", lambda: pax(record("path", "../../evil")), "leads out of its folder"),
    "pax-negative": ("tar", lambda: pax(record("size", "-512")), "damaged or not whole"),
    "negative-size": ("tar", lambda: tar_size(b"\xff" * 12), "damaged or not whole"),
    "size-beyond": ("tar", lambda: tar_size(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), ""),
    "sparse": ("tar", lambda: special(tarfile.GNUTYPE_SPARSE), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(room: Room, name: str) -> None:
    """In Moodle's download, between two honest ones."""
    ending, make, sentence = HOSTILE[name]
    room.enrol(roster())
    files = {
        **below("Ada Lovelace_17_assignsubmission_file", MINE),
        f"Eve Adams_18_assignsubmission_file/work.{ending}": make(),
        **below("Grace Hopper_19_assignsubmission_file", {"work.zip": GOOD}),
    }
    source = room.source("lab2.zip", packed(files))
    began = time.process_time()
    outcome = room.again(source)
    assert time.process_time() - began < 5
    assert sorted(one.learner for one in outcome.taken) == ["ada", "grace"]
    (refusal,) = outcome.refused
    assert (refusal.learner, refusal.lab) == ("eve", 2)
    assert sentence in refusal.sentence
    assert refusal.sentence.isprintable()
    assert refusal.sentence.startswith("it ") and refusal.sentence.endswith(".")
    assert len(refusal.sentence) < 250
    assert room.record.refusals("eve") != []
    assert not list(room.settings.handed_in.glob("eve*"))
    outside = {place.name for place in room.root.iterdir()}
    assert outside <= {"downloads", "handed-in", "roster.csv"} | {
        one for one in outside if one.startswith("class.sqlite")
    }


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_hostile_names_in_the_source_itself(room: Room, kind: str) -> None:
    """A platform's archive, or one that somebody packed for it: each name costs its own hand-in."""
    files = {
        **below("ada", MINE),
        **below("eve", MINE),
        "eve/../../../evil.py": b"x",
        "../outside.py": b"x",
        "/absolute/handler.py": b"x",
    }
    outcome = room.take(f"class.{kind}", packed(files, kind))
    assert [one.learner for one in outcome.taken] == ["ada"]
    assert {one.learner for one in outcome.refused} == {"eve", "absolute", None}


@pytest.mark.parametrize("form", ["zip", "tar", pytest.param("folder", marks=pytest.mark.slow)])
def test_a_learners_ten_thousand_files_in_the_source_itself(room: Room, form: str) -> None:
    """Gradescope unpacks what learners hand in; so does who unpacks a download."""
    files = {**below("ada", MINE), **below("eve", MINE | {f"f{n}": b"x" for n in range(5_000)})}
    content = files if form == "folder" else packed(files, form)
    outcome = room.take(f"class.{form}", content)
    assert [one.learner for one in outcome.taken] == ["ada"]
    (refusal,) = outcome.refused
    assert refusal.sentence == "it holds more than 5,000 entries; a lab has a handful."


def test_a_folder_without_an_end(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_ENTRIES_ON_DISK", 50)
    deep = {"/".join(["d"] * 60) + "/x": b"x"}
    files = {**below("class/ada", MINE), **below("class/eve", MINE | deep)}
    files |= below("class/bob", MINE | {f"many/f{n}": b"x" for n in range(60)})
    outcome = room.take("downloads", files)
    assert [one.learner for one in outcome.taken] == ["ada"]
    assert {one.learner for one in outcome.refused} == {"eve", "bob"}


def test_links_and_pipes_in_a_folder(room: Room) -> None:
    """Nothing behind a link is read: not a file, not a folder, not what a device would say."""
    source = room.source(
        "class", {**below("ada", MINE), **below("eve", MINE), **below("bob", MINE)}
    )
    secret = room.source("secret.txt", "of the instructor")
    (source / "eve/handler.py").unlink()
    (source / "eve/handler.py").symlink_to(secret)
    (source / "bob/more").symlink_to(room.root, target_is_directory=True)
    os.mkfifo(source / "pipe") if hasattr(os, "mkfifo") else None
    (source / "carl").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(source / "carl" / "handler.py")
    outcome = room.again(source)
    assert [one.learner for one in outcome.taken] == ["ada"]
    sentences = {one.learner: one.sentence for one in outcome.refused}
    assert sentences["eve"] == "it holds 'eve/handler.py', a link."
    assert sentences["bob"] == "it holds 'bob/more', a link."
    assert "special file" in sentences["carl"]


def test_many_files_are_a_bomb_together(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is large, and archives beside one another count together."""
    monkeypatch.setattr(archives, "Budget", partial(Budget, unpacked=3 * MB))
    one = packed({f"{n}.bin": random.Random(n).randbytes(500_000) for n in range(3)})
    outcome = room.take("class", {**below("ada", MINE), "eve/a.zip": one, "eve/b.zip": one})
    assert [one.learner for one in outcome.taken] == ["ada"]
    assert outcome.refused[0].sentence == "it holds more than 3 MB once unpacked."


def test_a_bomb_takes_little_memory(room: Room) -> None:
    source = room.source("class.zip", packed({"eve/work.tar.gz": bomb("gz", 100)}))
    tracemalloc.start()
    try:
        outcome = room.again(source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(outcome.refused) == 1
    assert peak < 350 * MB


def test_reading_ends_when_its_time_is_over() -> None:
    """Whatever a parser does with an archive, it does not do it for long."""
    with pytest.raises(Hostile, match="takes longer than 20 s to read"):
        budget = Budget()
        budget.until = time.monotonic() - 1
        budget.spend(entries=1)


@pytest.mark.parametrize("content", [b"", b"text", GOOD[:-30], packed(MINE, "tar.gz")[:-20]])
def test_a_source_that_is_no_whole_archive_is_one_sentence(room: Room, content: bytes) -> None:
    with pytest.raises(UsageError, match=r"damaged or not whole; download it again"):
        room.take("lab2.zip", content)
    assert not room.record.hand_ins()


def test_a_source_of_another_kind_is_one_sentence(room: Room) -> None:
    with pytest.raises(UsageError, match="is no zip and no tar; give one, or a folder"):
        room.take("notes.txt", b"hello")
    with pytest.raises(UsageError, match="is no zip and no tar; give one, or a folder"):
        room.take("lab2.7z", b"7z")
    with pytest.raises(UsageError, match="cannot be read: it is not there"):
        room.again(room.root / "nothing.zip")
    with pytest.raises(UsageError, match="holds no files"):
        room.take("empty.zip", packed({}))


def test_streams_behind_one_another_and_padding_are_read(room: Room) -> None:
    """What pigz, split and tape drives leave: several gzip streams, zeros at the end."""
    plain = packed(below("ada", MINE), "tar")
    half = len(plain) // 2
    data = gzip.compress(plain[:half]) + gzip.compress(plain[half:]) + bytes(1000)
    room.take("class.tar.gz", data)
    assert room.files("ada") == MINE


def test_a_zip_with_utf8_names_that_nobody_marked_is_read(room: Room) -> None:
    """What macOS writes: UTF-8 without its flag, which zipfile reads as code page 437."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in below("josé", MINE).items():
            info = zipfile.ZipInfo("x", STAMP)
            info.filename = info.orig_filename = name.encode().decode("cp437")
            archive.writestr(info, content)
    data = bytearray(out.getvalue())
    for magic, at in ((LOCAL, 6), (CENTRAL, 8)):
        start = data.find(magic)
        while start >= 0:
            data[start + at + 1] &= 0xF7
            start = data.find(magic, start + 1)
    raw = bytes(data).replace("josé".encode().decode("cp437").encode(), "josé".encode())
    if len(raw) == len(data):
        room.take("class.zip", raw)
        assert room.files("josé") == MINE


@pytest.mark.parametrize("path", ["handler.py", "a/b/c.py", "./x", "a//b", "café/ü.py", "x y.txt"])
def test_ordinary_names_are_fine(path: str) -> None:
    assert path_fault(path) is None


def test_distinct_names_are_distinct() -> None:
    require_distinct(["a/x", "a/y", "b", "c/d/e"])
    with pytest.raises(Hostile):
        require_distinct(["ß", "SS"])


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_damaged_archives_never_surprise(kind: str, tmp_path: Path) -> None:
    """Bytes flipped, cut and repeated: files, or Hostile, or a sentence on the source."""
    random_ = random.Random(kind)
    good = packed(MINE | {"data.csv": b"1,2\n" * 500, "d/e.py": b"x = 1\n"}, kind)
    place = tmp_path / f"source.{kind}"
    for _ in range(300):
        data = bytearray(good)
        for _ in range(random_.choice((1, 1, 3, 20))):
            where = random_.randrange(len(data))
            what = random_.random()
            if what < 0.7:
                data[where] = random_.choice((0, 255, 128, random_.randrange(256)))
            elif what < 0.85:
                del data[where : where + random_.randrange(1, 200)]
            else:
                data[where:where] = data[where : where + random_.randrange(1, 200)]
        content = bytes(data)
        member = Member(f"work.{kind}", len(content), len(content), lambda data=content: data)
        try:
            for one in archives.opened([member], frozenset({"handler.py"})):
                one.read()
        except Hostile as error:
            assert str(error)
        place.write_bytes(content)
        try:
            with archives.source(place) as members:
                for one in members:
                    one.read()
        except (Hostile, UsageError):
            pass


def test_five_thousand_names_and_very_long_ones_are_cut_quickly() -> None:
    """Nothing that looks at names looks at each one for each other, or tries all of a long one."""
    people = People({f"l{n:04}": Learner(f"l{n:04}", f"F{n} L{n}") for n in range(5_000)})
    course = Course(labs(), people.names)
    for names in (
        [f"lab2-l{n:04}/handler.py" for n in range(5_000)],
        [f"nobody{n}/handler.py" for n in range(5_000)],
        [f"l{n}f{n}_{n}_9_handler.py" for n in range(5_000)],
        ["1_" * 30_000 + "/x", "-1" * 30_000, "a_assignsubmission_file" * 2_000],
    ):
        began = time.process_time()
        found = take_apart("x", [Member(name, 1, 1, bytes) for name in names], course)
        for delivery in found.deliveries:
            with suppress(Unknown):
                people.who(delivery.people[0])
        assert time.process_time() - began < 5
