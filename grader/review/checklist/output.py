"""A report as documents: JSON, SARIF for code hosts, and the reference page of all items."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from grader import __version__
from grader.cloud.template import shown
from grader.cloud.template.model import Problem
from grader.review.checklist.answers import VERDICTS, Evidence
from grader.review.checklist.model import (
    SEVERITIES,
    SEVERITY_MEANING,
    Item,
    Report,
    Result,
)

SCHEMA = "labs/check/v1"
# https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"critical": "error", "important": "warning", "advice": "note"}


def document(
    report: Report, *, unknown_is_fine: bool = False, remarks: Iterable[Problem] = ()
) -> dict[str, Any]:
    """The report as plain data; the reference page describes the shape."""
    return {
        "schema": SCHEMA,
        "path": report.path,
        "passed": bool(report.consumers) and report.decides(unknown_is_fine=unknown_is_fine),
        "summary": {verdict: report.count(verdict) for verdict in VERDICTS},
        "consumers": [
            {
                "name": consumer.name,
                "line": consumer.mapping.line,
                "certain": consumer.certain,
                "function": consumer.function.logical_id if consumer.function else None,
                "table": consumer.table.logical_id if consumer.table else None,
                "items": [_entry(result) for result in report.about(consumer.name)],
            }
            for consumer in report.consumers
        ],
        "hidden": [{"line": line, "sentence": text} for line, text in report.hidden],
        "remarks": [{"line": one.line, "sentence": one.sentence} for one in remarks],
    }


def json_text(
    report: Report, *, unknown_is_fine: bool = False, remarks: Iterable[Problem] = ()
) -> str:
    """The report as one JSON document, in ASCII so that any stream can carry it."""
    data = document(report, unknown_is_fine=unknown_is_fine, remarks=remarks)
    return json.dumps(data, indent=2) + "\n"


def _entry(result: Result) -> dict[str, Any]:
    item = result.item
    return {
        "id": item.id,
        "title": item.title,
        "severity": item.severity,
        "verdict": result.verdict,
        "detail": result.detail,
        "evidence": [_place(evidence) for evidence in result.evidence],
        "why": item.why,
        "fix": item.fix,
        "page": item.page,
        "sources": list(item.sources),
    }


def _place(evidence: Evidence) -> dict[str, Any]:
    return {
        "line": evidence.line,
        "resource": evidence.logical_id,
        "property": evidence.property,
        "quote": shown(evidence.quote),
    }


def sarif(report: Report, *, items: Iterable[Item], uri: str) -> str:
    """What is not met as SARIF 2.1.0; what cannot be told as results of the kind *review*.

    ``uri`` is the template's place, relative to the root that the code host knows.
    """
    rules = list(items)
    index = {item.id: number for number, item in enumerate(rules)}
    driver = {
        "name": "streamlabs",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(item) for item in rules],
    }
    results = [
        _result(result, report, index[result.item.id], quote(uri))
        for result in report.results
        if result.verdict in ("not met", "cannot tell")
    ]
    run = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "artifacts": [{"location": {"uri": quote(uri)}}],
        "results": results,
    }
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _rule(item: Item) -> dict[str, Any]:
    sources = "\n".join(f"- <{source}>" for source in item.sources)
    return {
        "id": item.id,
        "name": "".join(word.capitalize() for word in item.id.split("-")),
        "shortDescription": {"text": item.title},
        "fullDescription": {"text": item.why},
        "help": {
            "text": f"{item.why} {item.fix}",
            "markdown": f"{item.why}\n\n**Fix:** {item.fix}\n\n{sources}",
        },
        "helpUri": item.sources[0],
        "defaultConfiguration": {"level": _LEVELS[item.severity]},
        "properties": {"tags": ["dynamodb-streams", "lambda", item.severity]},
    }


def _result(result: Result, report: Report, rule: int, uri: str) -> dict[str, Any]:
    consumer = next(one for one in report.consumers if one.name == result.consumer)
    lines = [evidence.line for evidence in result.evidence] or [consumer.mapping.line]
    places = [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": uri, "index": 0},
                "region": {"startLine": max(1, line)},
            }
        }
        for line in dict.fromkeys(lines)
    ]
    fails = result.verdict == "not met"
    found: dict[str, Any] = {
        "ruleId": result.item.id,
        "ruleIndex": rule,
        "kind": "fail" if fails else "review",
        "level": _LEVELS[result.item.severity] if fails else "none",
        "message": {"text": f"{result.consumer}: {result.detail} {result.item.fix}"},
        "locations": places[:1],
        "partialFingerprints": {"consumerAndItem/v1": f"{result.consumer}/{result.item.id}"},
    }
    if places[1:]:
        found["relatedLocations"] = places[1:]
    return found


# -- the reference page -----------------------------------------------------------------------


def reference(items: Iterable[Item]) -> str:
    """The page about every item, as Markdown."""
    rows = list(items)
    parts = [
        "# The production checklist, item by item\n",
        "<!-- Written by `labs dev sync` from grader/review/checklist. Do not edit. -->\n",
        "`labs check PATH` asks these items of every consumer of a DynamoDB stream in a "
        "CloudFormation or SAM template. A consumer is one event source mapping. "
        "[How to run it](check.md).\n",
        "| severity | meaning |\n|---|---|\n"
        + "\n".join(f"| {name} | {SEVERITY_MEANING[name]} |" for name in SEVERITIES)
        + "\n",
    ]
    for item in rows:
        sources = "\n".join(f"- <{source}>" for source in item.sources)
        parts.append(
            f"## `{item.id}` {{ #{item.id} }}\n\n"
            f"**{item.title}**\n\n"
            f"Severity: {item.severity}. Applies to: {item.applies}.\n\n"
            f"Why: {item.why}\n\n"
            f"Fix: {item.fix}\n\n"
            f"AWS on it:\n\n{sources}\n"
        )
    return "\n".join(parts)
