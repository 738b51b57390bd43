"""Lab 1's scenarios: streams built by hand, and what the learner's ``reader.py`` makes of them.

Each scenario is a stream in an account of its own, so that a wrong template costs the reader
nothing. The reader runs in the function process and asks the account for every page. Scenarios
judge nothing; they only stop when there is nothing to play.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grader.course.labs.lab01.changes import changes
from grader.course.labs.lab01.endless import EMPTY_PAGES
from grader.course.labs.lab01.library import HOUR_MS, MINUTE_MS, Library, Said

if TYPE_CHECKING:
    from grader.course.stage import Stage

# Longer than an iterator lives.
NAP_S = 16 * 60


@dataclass
class Play:
    """A library after its story. ``said`` are the calls of the reader, oldest first."""

    library: Library
    said: list[Said]
    extra: dict[str, Any] = field(default_factory=dict)


def whole_stream(stage: Stage) -> Play:
    """Seven shards, four of them with a parent, are read from the beginning."""
    library = Library(stage, "whole stream")
    library.stream.most_shards = 3
    library.stream.most_records = 3
    library.open("ADL")
    library.write("A", 4)
    library.write("D", 4)
    library.write("L", 4)
    library.clock.run_for(9 * MINUTE_MS)
    library.close("A")
    library.open("BC", parent="A")
    library.write("B", 2)
    library.write("D", 1)
    library.clock.run_for(9 * MINUTE_MS)
    library.close("B")
    library.close("L")
    library.cross()
    library.open("E", parent="B")
    library.open("F", parent="L")
    library.write("C", 5)
    library.write("E", 2)
    library.write("F", 1)
    # AWS promises no order of the list: a grandchild stands before its parent, that before its own,
    # and L is on a later page than its child.
    library.stream.relist([library.shards[letter].id for letter in "EBACDFL"])
    said = library.read(
        "seven shards: A was split into B and C, B went on as E, L as F, D has no parent; "
        "DescribeStream lists three a page, GetRecords three records"
    )
    return Play(library, [said])


def quiet_hours(stage: Stage) -> Play:
    """Two open shards and a closed one whose records lie behind empty pages."""
    library = Library(stage, "quiet hours")
    library.stream.empty_before = EMPTY_PAGES - 1
    library.stream.most_records = 2
    library.open("ABC")
    for letter in "ABC":
        library.write(letter, 3)
    library.close("C")
    said = library.read(
        f"two open shards A and B, and C, which is closed; {EMPTY_PAGES - 1} empty pages come "
        "before every page with records, and a page has two"
    )
    return Play(library, [said])


def slow_handling(stage: Stage) -> Play:
    """Handling a record takes so long that the iterator of the next page expires."""
    library = Library(stage, "slow handling")
    library.stream.most_records = 2
    library.open("AB")
    library.write("A", 3)
    library.cross()
    library.write("A", 2)
    library.write("B", 3)
    naps = {2: NAP_S, 3: NAP_S, 7: NAP_S}
    said = library.read(
        "two open shards A and B in pages of two records; the records handled second, third and "
        "seventh take 16 minutes each",
        naps=naps,
    )
    return Play(library, [said])


def read_on(stage: Stage) -> Play:
    """The stream is read, goes on, and is read from the checkpoint twice more."""
    library = Library(stage, "read on")
    library.open("ABC")
    library.write("A", 3)
    library.write("B", 2)
    first = library.read("shards A and B with records, C without any; the first read")
    if first.error:
        return Play(library, [first])
    before = set(library.names)
    library.anew(90)
    library.cross()
    library.close("A")
    library.open("DE", parent="A")
    library.write("B", 1)
    library.write("C", 2)
    library.write("D", 2)
    library.write("E", 1)
    second = library.read(
        "90 minutes later, in a new process, from the checkpoint: A was split into D and E, and "
        "B, C, D and E got records",
        first.checkpoint,
    )
    if second.error:
        return Play(library, [first, second], {"before": before})
    library.anew(5)
    third = library.read(
        "five minutes later, from the second checkpoint: nothing was written since",
        second.checkpoint,
    )
    return Play(library, [first, second, third], {"before": before})


def after_a_day(stage: Stage) -> Play:
    """The reader is away for more than a day, and some records are gone when it comes back."""
    library = Library(stage, "after a day")
    # Gone before anybody read: A's parent Y, and A's first record. None of it is lost by a reader.
    library.open("Y")
    library.write("Y", 1)
    library.close("Y")
    library.open("A", parent="Y")
    library.write("A", 1)
    library.clock.run_for(28 * HOUR_MS)
    library.open("FNP")
    library.write("A", 2)
    library.write("F", 1)
    library.close("F")
    library.open("G", parent="F")
    library.write("G", 2)
    first = library.read(
        "shards A and G, F, a closed parent of G, and N and P, in which there is nothing yet; A1 "
        "and A's parent Y left the stream before this first read"
    )
    if first.error:
        return Play(library, [first])
    library.clock.run_for(HOUR_MS)
    library.write("A", 3)
    library.write("G", 1)
    library.close("G")
    library.open("H", parent="G")
    # N goes unread, M comes and goes between the reads, and O is left without its beginning.
    for letter, child in ("NM", "MO"):
        library.write(letter, 1)
        library.close(letter)
        library.open(child, parent=letter)
    library.write("O", 1)
    library.write("P", 1)
    library.clock.run_for(28 * HOUR_MS)
    before = set(library.names)
    library.cross()
    library.write("A", 2)
    library.write("H", 2)
    library.write("O", 1)
    library.write("P", 1)
    # Listed after F was read to its end, as children may be: F, which is gone, is no loss for that.
    library.open("K", parent="F")
    library.write("K", 1)
    library.anew(60)
    second = library.read(
        "30 hours later, from the checkpoint: records A4 to A6 have left the stream; so have shard "
        "F, which was read to its end, G with its record G3, N with N1, and N's child M, which has "
        "come and gone in between; M's child O has lost O1, and P, empty until then, P1. A7, A8, "
        "O2, P2, H1 and H2 of G's child and K1 of a new child of F's are there",
        first.checkpoint,
    )
    return Play(library, [first, second], {"before": before})


def described(stage: Stage) -> Play:
    """Nine changes are described one by one."""
    library = Library(stage, "described")
    library.open("A")
    for change in changes():
        library.change("A", change.old, change.new, ttl=change.ttl)
    said = library.describe("ten records of one shard, each given to describe", "A")
    return Play(library, [said])
