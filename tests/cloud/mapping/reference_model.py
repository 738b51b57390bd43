"""One lane of an event source mapping, written a second time: short, slow, and without the engine.

Time goes in steps of 250 ms, the distance of two polls; the function takes no time. Then
everything happens on that grid: polls, retries (250 ms times a power of two), batching windows
(whole seconds). The recipe is that of AWS's pages on error handling:
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from dataclasses import dataclass

STEP = 250


@dataclass
class Written:
    """A record: when it was written (ms from the start), its number, whether a filter passes it."""

    time: int
    number: int
    passes: bool = True


@dataclass
class Try:
    """Records that are tried together, and how often that went wrong."""

    records: list
    failed: int = 0
    throttled: int = 0


def play(
    written,
    function,
    until,
    *,
    start=0,
    batch_size,
    window=0,
    max_retries=-1,
    max_age=-1,
    bisect=False,
    report=False,
):
    """What a mapping that polls from ``start`` on does with ``written`` until ``until`` (ms).

    ``function(numbers)`` answers "ok", "error", "throttled" or the list of the numbers that it
    reports as failed. Returns (deliveries, notes, pending): deliveries are (time, numbers), notes
    are (time, condition, numbers, invocations), pending is a list of numbers.
    """
    deliveries, notes = [], []
    unread = list(written)
    read = []  # read, passed the filters, not in a batch yet
    todo = []  # what is being tried, the next first
    not_before = 0
    free_since = start

    for now in range(start, until + 1, STEP):
        while True:
            if not todo:
                if len(read) < batch_size and (window or not read):
                    while unread and unread[0].time <= now:
                        record = unread.pop(0)
                        if record.passes:
                            read.append(record)
                window_over = (
                    now > free_since and (now - free_since) % window == 0 if window else True
                )
                if len(read) >= batch_size or (read and window_over):
                    todo.append(Try(read[:batch_size]))
                    del read[:batch_size]
                    not_before = now
                else:
                    break
            if now < not_before:
                break

            one = todo[0]
            if max_age >= 0:
                old = []
                while one.records and now - one.records[0].time > max_age:
                    old.append(one.records.pop(0))
                if old:
                    notes.append((now, "RecordAgeExceeded", numbers(old), max(one.failed, 1)))
            if not one.records:
                todo.pop(0)
                continue

            deliveries.append((now, numbers(one.records)))
            free_since = now
            answer = function(numbers(one.records))
            if answer == "ok" or (isinstance(answer, list) and not (report and answer)):
                todo.pop(0)
            elif answer == "throttled":
                one.throttled += 1
                not_before = now + pause(one.failed + one.throttled)
            elif isinstance(answer, list) and min(answer) != one.records[0].number:
                lowest = min(answer)
                todo[0] = Try([record for record in one.records if record.number >= lowest])
            elif bisect and len(one.records) > 1:
                half = len(one.records) // 2
                todo[0:1] = [Try(one.records[:half]), Try(one.records[half:])]
            else:
                one.failed += 1
                one.throttled = 0
                not_before = now + pause(one.failed)
                if 0 <= max_retries < one.failed:
                    notes.append((now, "RetryAttemptsExhausted", numbers(one.records), one.failed))
                    todo.pop(0)
                    not_before = now

    pending = [record for one in todo for record in one.records] + read + unread
    return deliveries, notes, numbers(pending)


def numbers(records):
    return [record.number for record in records]


def pause(failures):
    """250 ms, doubled with each failure, at most a minute."""
    return min(250 * 2 ** (failures - 1), 60_000)
