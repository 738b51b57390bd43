"""A run as data: one `labs/run/v1` document out of what its plays left.

Every picture of a run is made from this document and from nothing else; docs/reference/
run-document.md says what each field means and ``run.schema.json`` what it may hold. Things are
named by their role, times are milliseconds since the play's start, what is cut says how much of it
there was, and the same run gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cloud.cloudwatch import Alarm, MetricAlarm
from grader.cloud.metrics import MINUTE_MS, Datum, Metrics
from grader.cloud.words import clean
from grader.replay.attempts import Attempts
from grader.replay.naming import Names, clock, duration

if TYPE_CHECKING:
    from grader.cloud.aws import Call
    from grader.cloud.dynamodb import Record
    from grader.cloud.function import Invocation
    from grader.replay.scene import Scene

SCHEMA = "labs/run/v1"
SCHEMA_FILE = Path(__file__).with_name("run.schema.json")
# What of one invocation is kept: more than an honest handler writes for one batch.
MOST_LINES, MOST_LETTERS, MOST_CALLS = 60, 400, 250
# What CloudWatch compared, in its words: a data point with the start of its period, or a threshold.
_COMPARED = re.compile(r"([-+.\de]+) \(([\d/]{8} [\d:]{8})\)|(?<=the threshold )\(([-+.\de]+)\)")
Document = dict[str, Any]


def document(
    scenes: Iterable[Scene],
    *,
    lab: int | None = None,
    slug: str = "",
    scenario: str = "",
    seed: int = 0,
    told: Sequence[str] = (),
    stopped: Mapping[str, Any] | None = None,
) -> Document:
    """The document of one run. ``told`` are the lines that `labs run` prints of it.

    ``stopped`` is the finding that says why it was not played to its end.
    """
    plays = [_Play(scene) for scene in scenes]
    return {
        "schema": SCHEMA,
        "lab": lab,
        "slug": slug,
        "scenario": clean(scenario),
        "seed": seed,
        "stopped": None if stopped is None else _cleaned(stopped),
        "plays": [play.document() for play in plays],
        "told": [clean(_named(line, plays)) for line in told],
    }


def _cleaned(finding: Mapping[str, Any]) -> Document:
    return {name: clean(one) if isinstance(one, str) else one for name, one in finding.items()}


def _named(line: str, plays: Sequence[_Play]) -> str:
    for play in plays:
        line = play.names.told(line)
    return line


def text(run: Document) -> str:
    """The document as JSON, one play a line, so that two runs can be compared by lines."""
    plays = ",\n".join(_json(play) for play in run["plays"])
    rest = _json({**run, "plays": []})
    return rest.replace('"plays":[]', f'"plays":[{plays}]', 1) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


class _Play:
    """One scene on its way into the document."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.names = Names(scene)
        self.attempts = Attempts(scene, self.names)

    def document(self) -> Document:
        scene = self.scene
        return {
            "title": clean(scene.title),
            "kind": scene.kind,
            "story": clean(scene.story),
            "length": scene.end_ms - scene.start_ms,
            "moments": [
                {"at": self._at(moment), "what": clean(what)}
                for moment, what in sorted(scene.moments, key=lambda one: one[0])
            ],
            "figures": [
                {
                    "name": clean(one.name),
                    "value": clean(one.value),
                    "limit": clean(one.limit),
                    "met": one.met,
                }
                for one in scene.figures
            ],
            "mappings": [self._mapping(one) for one in scene.readers],
            "shards": self._shards(),
            "records": self._records(),
            "rules": self.attempts.rules,
            "batches": self.attempts.rows,
            "invocations": self._invocations(),
            "notes": self.attempts.notes,
            "throttles": self.attempts.throttles,
            "lags": self._lags(),
            "states": self.attempts.states,
            "metrics": self._metrics(),
            "alarms": self._alarms(),
        }

    def _at(self, time_ms: int) -> int:
        return time_ms - self.scene.start_ms

    def _mapping(self, reader: Any) -> Document:
        return {
            "name": reader.name,
            "function": reader.function,
            "settings": [
                {
                    "name": one.name,
                    "value": self.names.plain(one.value),
                    "line": one.line,
                    "text": clean(one.text),
                }
                for one in reader.settings
            ],
        }

    def _shards(self) -> list[Document]:
        numbers = self.names.shard_numbers
        return [
            {
                "id": numbers[shard.id],
                "name": self.names.shard(shard.id),
                "stream": table,
                "parent": numbers.get(shard.parent_id or ""),
                "opened": self._opened(shard.id, stream.created_ms),
                "closed": None if shard.closed_ms is None else self._at(shard.closed_ms),
                "records": sum(one.id == shard.id for one in self.names.shard_of.values()),
            }
            for table, stream in self.scene.streams.items()
            for shard in stream.shards
        ]

    def _opened(self, shard_id: str, created_ms: int) -> int:
        """A shard's id says when it was opened; a stream's first ones came with it."""
        digits = shard_id.split("-")[1] if shard_id.count("-") == 2 else ""
        opened = int(digits) if digits.isdigit() else created_ms
        return max(0, self._at(opened))

    def _records(self) -> list[Document]:
        fates = self.attempts.fates
        found = []
        for number, (table, record) in enumerate(self.names.records, start=1):
            shard = self.names.shard_of.get((table, record.sequence))
            found.append(
                {
                    "id": number,
                    "name": self.names.record(table, record),
                    "change": str(record.event.get("eventName", "")),
                    "item": self.names.item(record),
                    "shard": self.names.shard_numbers[shard.id] if shard else None,
                    "bytes": record.size,
                    "written": self._at(record.time_ms),
                    "fates": fates.get(number, []),
                }
            )
        return found

    def _invocations(self) -> list[Document]:
        batch_of = self.attempts.batch_of
        return [
            {
                "function": function,
                "number": one.number,
                "batch": batch_of.get(id(one)),
                "environment": one.environment,
                "cold": one.cold,
                "start": self._at(one.start_ms),
                "end": None if one.end_ms is None else self._at(one.end_ms),
                "ended_by": one.killed
                and f"the environment died {one.killed} its last call was made",
                "calls": self._calls(one),
                "calls_in_all": len(one.calls),
                "log": self._log(one),
                "lines_in_all": len(one.logs),
            }
            for function, invocations in self.scene.functions.items()
            for one in invocations
        ]

    def _calls(self, one: Invocation) -> list[list[Any]]:
        """Time, service, operation and end of each call."""
        unanswered = "not answered: the environment died" if one.killed else "not answered"
        return [
            [
                self._at(call.time_ms),
                *_operation(call),
                self._ended(one, call) or unanswered,
            ]
            for call in one.calls[:MOST_CALLS]
        ]

    def _ended(self, one: Invocation, call: Call) -> str:
        said = self.scene.words.get((one.number, call.number))
        return one.ends.get(call.number, "") if said is None else clean(self.names.told(said))

    def _log(self, one: Invocation) -> list[list[Any]]:
        """Time and text of each line; what is cut of a line is counted at its end."""
        lines = []
        for line in one.logs[:MOST_LINES]:
            told = clean(self.names.told(line.text.rstrip("\n")))
            more = len(told) - MOST_LETTERS
            lines.append(
                [
                    self._at(line.time_ms),
                    f"{told[:MOST_LETTERS]}… ({more} more characters)" if more > 0 else told,
                ]
            )
        return lines

    def _lags(self) -> list[Document]:
        """The longest time from a write to its record's end, by mapping and minute of that end."""
        longest: dict[tuple[str, int], int] = {}
        written = {number: record.time_ms for number, (_, record) in self._numbered()}
        for number, fates in self.attempts.fates.items():
            for fate in fates:
                if fate["how"] == "done":
                    place = (fate["by"], fate["at"] // MINUTE_MS)
                    lag = fate["at"] - self._at(written[number])
                    longest[place] = max(longest.get(place, 0), lag)
        by = dict.fromkeys(name for name, _ in longest)
        return [
            {
                "by": name,
                "minutes": sorted([at, lag] for (one, at), lag in longest.items() if one == name),
            }
            for name in by
        ]

    def _numbered(self) -> Iterable[tuple[int, tuple[str, Record]]]:
        return enumerate(self.names.records, start=1)

    def _metrics(self) -> list[Document]:
        found = []
        for key in self.scene.metrics:
            minutes = _minutes(self.scene.metrics, key, self.scene.start_ms, self.scene.end_ms)
            if minutes:
                found.append(
                    {
                        "namespace": clean(key.namespace),
                        "name": clean(key.name),
                        "of": self._dimensions(key.dimensions),
                        "unit": key.unit,
                        "minutes": minutes,
                    }
                )
        return found

    def _alarms(self) -> list[Document]:
        watched = self.scene.watched
        if watched is None:
            return []
        found = []
        for alarm in watched.alarms:
            label = clean(watched.labels.get(alarm.name, alarm.name))
            found.append(
                {
                    "name": label,
                    "watches": self._watches(alarm, watched.labels),
                    "threshold": self._threshold(alarm),
                    "states": [
                        [self._at(one.time_ms), one.new, self._reason(alarm, one.reason)]
                        for one in watched.transitions
                        if one.alarm == alarm.name
                    ],
                    "told": [
                        [
                            self._at(one.time_ms),
                            one.state,
                            one.protocol,
                            self.names.told(clean(one.endpoint)),
                        ]
                        for one in watched.told
                        if one.alarm == alarm.name
                    ],
                }
            )
        return found

    def _reason(self, alarm: Alarm, reason: str) -> str:
        """CloudWatch's words with moments of the play and times that have a unit."""
        stat = alarm.metric if isinstance(alarm, MetricAlarm) else None
        # Samples are counted in no unit, whatever was measured.
        timed = (
            stat is not None
            and stat.statistic.kind not in ("SampleCount", "TC", "PR")
            and any(
                (key.namespace, key.name, key.unit) == (stat.namespace, stat.name, "Milliseconds")
                for key in self.scene.metrics
            )
        )

        def compared(found: re.Match[str]) -> str:
            number, date, threshold = found.groups()
            value = number or threshold
            try:
                value = duration(float(value)) if timed else value
                if threshold:
                    return f"({value})"
                at = datetime.strptime(date, "%d/%m/%y %H:%M:%S").replace(tzinfo=UTC)
            except ValueError:  # Somebody set the state, in words of theirs.
                return found[0]
            return f"{value} ({clock(self._at(round(at.timestamp() * 1000)))})"

        return self.names.told(clean(_COMPARED.sub(compared, reason)))

    def _threshold(self, alarm: Alarm) -> Document | None:
        """What a metric is compared with; nothing where an alarm compares anything else."""
        if not isinstance(alarm, MetricAlarm) or (stat := alarm.metric) is None:
            return None
        return {
            "namespace": clean(stat.namespace),
            "name": clean(stat.name),
            "of": self._dimensions(stat.dimensions),
            "statistic": stat.statistic.text,
            "seconds": stat.period_s,
            "comparison": alarm.comparison,
            "value": _short(alarm.threshold),
        }

    def _dimensions(self, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
        return {clean(name): self.names.told(clean(value)) for name, value in pairs}

    def _watches(self, alarm: Alarm, labels: Mapping[str, str]) -> list[str]:
        if isinstance(alarm, MetricAlarm):
            return [clean(one.name) for one in alarm.metrics]
        return [labels.get(name, name) for name in alarm.parts()]


def _operation(call: Call) -> tuple[str, str]:
    """The service of a call and its operation, as far as the request carries them.

    A request is signed for a service, and says so in its credential scope.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    headers = {name.lower(): value for name, value in call.headers.items()}
    scope = headers.get("authorization", "").partition("Credential=")[2].partition(",")[0]
    service = scope.split("/")[3] if scope.count("/") == 4 else ""
    if "DynamoDBStreams" in headers.get("x-amz-target", ""):
        service = "dynamodbstreams"
    operation = call.operation
    if operation.startswith("POST ") and b"Action=" in call.body:
        action = call.body.partition(b"Action=")[2].partition(b"&")[0]
        operation = action.decode("ascii", "replace")
    return clean(service), clean(operation)[:MOST_LETTERS]


def _minutes(metrics: Metrics, key: Any, start_ms: int, end_ms: int) -> list[list[float]]:
    """From minute, to minute, samples, sum, least, most; equal minutes in a row are one entry."""
    by_minute: dict[int, list[Datum]] = {}
    for one in metrics.data(key):
        if start_ms <= one.time_ms <= end_ms:
            by_minute.setdefault((one.time_ms - start_ms) // MINUTE_MS, []).append(one)
    rows = []
    for minute, data in sorted(by_minute.items()):
        values = [one.value for one in data]
        samples = sum(one.count for one in data)
        total = sum(one.value * one.count for one in data)
        rows.append((minute, *(_short(one) for one in (samples, total, min(values), max(values)))))
    found = []
    # In a run of equal minutes, minute and place grow together.
    for _, run in groupby(enumerate(rows), key=lambda one: (one[1][0] - one[0], one[1][1:])):
        alike = [row for _, row in run]
        found.append([alike[0][0], alike[-1][0], *alike[0][1:]])
    return found


def _short(value: float) -> float:
    """A number without the noise of floating point; whole ones as integers."""
    return int(value) if value == int(value) else float(f"{value:.6g}")
