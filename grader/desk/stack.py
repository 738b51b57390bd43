"""What anybody asks of ``labs`` about a template: does it hold in production, and what it costs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.desk.group import parameter_option
from grader.desk.terminal import MET, MISUSED, UNMET, emit, paint_for, say, warn, writing

if TYPE_CHECKING:
    from grader.review.checklist import Report


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--sarif", metavar="FILE", help="Write SARIF 2.1.0 into FILE (- for stdout).")
@parameter_option
@click.option("--skip", metavar="ITEM", multiple=True, help="Leave an item out. May be repeated.")
@click.option("--allow-unknown", is_flag=True, help="Let what cannot be told pass.")
@click.option("--allow-none", is_flag=True, help="Let a template without a consumer pass.")
@click.option("--baseline", metavar="FILE", help="Leave out what FILE accepts.")
@click.option("--write-baseline", metavar="FILE", help="Accept in FILE what stands open now.")
@click.option("--fix", is_flag=True, help="Print what has one safe answer as a patch.")
@click.option("--write", is_flag=True, help="With --fix: change the template, too.")
@click.option("-v", "--verbose", is_flag=True, help="Show the evidence for what is met too.")
def check(
    paths: tuple[str, ...],
    as_json: bool,
    sarif: str | None,
    parameters: dict[str, str],
    skip: tuple[str, ...],
    allow_unknown: bool,
    allow_none: bool,
    baseline: str | None,
    write_baseline: str | None,
    fix: bool,
    write: bool,
    verbose: bool,
) -> int:
    """Check any template with a stream consumer for production.

    PATH is a CloudFormation or SAM template, or a folder that holds one. Every consumer of a
    DynamoDB stream in it is asked every item of the production checklist. What stands outside the
    template is "cannot tell", which counts as not met unless --allow-unknown is given; advice
    never counts. Exit codes: 0 everything that counts is met, 1 not everything is, 2 there is
    nothing to check. Of several templates the worst code counts.

    --fix prints a patch (a unified diff) that adds what has one safe answer: a failure destination
    with its permission and alarm, bounds on retries and age, bisecting, ReportBatchItemFailures
    where the handler names failed records, and how long logs and notes are kept. Nothing that is
    written changes, and no file does without --write. What is left to you is named on stderr. The
    exit code is that of the file as it then stands.

    \b
    labs check template.yaml
    labs check cdk.out --json
    labs check template.yaml --sarif checklist.sarif --allow-unknown
    labs check template.yaml --write-baseline accepted.json
    labs check template.yaml --baseline accepted.json
    labs check template.yaml --fix > mend.patch
    labs check template.yaml --fix --write
    """
    from grader.course.files import UsageError
    from grader.desk import baseline as accepting
    from grader.desk import check as checking
    from grader.review.checklist import ITEMS, output

    if as_json and sarif == "-":
        raise UsageError("Two documents do not fit on stdout: give --sarif a file.")
    if len(paths) > 1 and (as_json or sarif is not None):
        raise UsageError("--json and --sarif take one template.")
    files = [checking.find(Path(path)) for path in paths]
    if write and not fix:
        raise UsageError("--write belongs to --fix.")
    if fix:
        if as_json or sarif is not None or baseline or write_baseline or verbose:
            raise UsageError("--fix prints a patch: leave --json, --sarif, baselines and -v out.")
        return _fixed(files, parameters, skip, write, allow_unknown, allow_none)
    found = [checking.check(file, parameters=parameters, skip=skip) for file in files]
    if write_baseline is not None:
        reports = [(file, checked.report) for file, checked in zip(files, found, strict=True)]
        with writing(Path(write_baseline)):
            text = accepting.written(reports, Path(write_baseline))
            Path(write_baseline).write_text(text, encoding="utf-8")
        say(f"{write_baseline} accepts what stands open now.")
        return MET
    codes = []
    for file, checked in zip(files, found, strict=True):
        if baseline is not None:
            checked = checking.accepted(checked, file, Path(baseline))
        report = checked.report
        if sarif is not None:
            text = output.sarif(report, items=ITEMS, uri=report.path)
            if sarif == "-":
                emit(text)
            else:
                with writing(Path(sarif)):
                    Path(sarif).write_text(text, encoding="utf-8")
        if as_json:
            emit(output.json_text(report, unknown_is_fine=allow_unknown, remarks=checked.remarks))
        elif sarif != "-":
            paint = paint_for(sys.stdout)
            emit(
                checking.text(checked, verbose=verbose, paint=paint, unknown_is_fine=allow_unknown)
            )
        codes.append(_code(report, allow_unknown, allow_none))
    return max(codes)


def _code(report: Report, allow_unknown: bool, allow_none: bool) -> int:
    if not report.consumers:
        return MET if allow_none else MISUSED
    return MET if report.decides(unknown_is_fine=allow_unknown) else UNMET


def _fixed(
    files: list[Path],
    values: dict[str, str],
    skip: tuple[str, ...],
    write: bool,
    allow_unknown: bool,
    allow_none: bool,
) -> int:
    from grader.desk import fixing

    codes = []
    for file in files:
        found = fixing.fix(file, parameters=values, skip=skip)
        emit(found.patch)
        warn(*found.sentences)
        if write and found.patch:
            with writing(file):
                file.write_bytes(found.content)
        report = found.after if write else found.before
        codes.append(_code(report, allow_unknown, allow_none))
    return max(codes)


@click.command()
@click.argument("which", metavar="N")
@click.option("--path", metavar="DIR", help="Take the template in DIR instead of your workspace's.")
@click.option("--fill", type=click.Choice(["starter", "solution"]), help="See labs grade.")
@click.option(
    "--writes-per-second",
    type=float,
    default=1.0,
    show_default=True,
    metavar="W",
    help="Writes to each table with a stream.",
)
@click.option(
    "--item-bytes", type=int, default=300, show_default=True, metavar="B", help="Size of an item."
)
@click.option(
    "--passing",
    type=float,
    default=100.0,
    show_default=True,
    metavar="PERCENT",
    help="Share of the records that the filter lets through.",
)
@click.option(
    "--call-ms",
    type=float,
    default=20.0,
    show_default=True,
    metavar="MS",
    help="Time of an invocation without its records.",
)
@click.option(
    "--record-ms",
    type=float,
    default=10.0,
    show_default=True,
    metavar="MS",
    help="Time of an invocation for each record.",
)
@click.option(
    "--units-per-record",
    type=float,
    default=4.0,
    show_default=True,
    metavar="U",
    help="Write units that the function consumes for a record.",
)
@click.option(
    "--log-bytes",
    type=int,
    default=600,
    show_default=True,
    metavar="B",
    help="Log of an invocation, Lambda's own lines included.",
)
@click.option(
    "--custom-metrics",
    type=int,
    default=0,
    show_default=True,
    metavar="K",
    help="Metrics of the function's own.",
)
@click.option(
    "--messages",
    type=int,
    default=100,
    show_default=True,
    metavar="K",
    help="Messages a month to each queue and topic.",
)
@click.option(
    "--reads-per-second",
    type=float,
    default=0.0,
    show_default=True,
    metavar="R",
    help="GetRecords calls of readers other than Lambda.",
)
@click.option("--no-free", is_flag=True, help="Other stacks have used up the free quotas.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def cost(
    which: str,
    path: str | None,
    fill: str | None,
    no_free: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Estimate a month's bill of lab N's stack, line by line.

    The stack is your template.yaml; the traffic is steady. It says what the always-free quotas
    cover and what would be charged. Where a value cannot be known (a parameter without a default,
    an import), what AWS takes without it is counted and a note says why. Prices are those of
    us-east-1, each with its source and date in the JSON. A new account's credits are not taken off.

    \b
    labs cost 5
    labs cost 5 --writes-per-second 20
    labs cost 5 --writes-per-second 20 --no-free --json
    """
    import json

    from grader.cloud import template
    from grader.course.files import UsageError
    from grader.course.lab import find
    from grader.desk.submission import Submission
    from grader.review import estimate, pricing

    lab = find(which)
    submission = Submission.find(lab, path, fill)
    if "template.yaml" not in submission.files:
        raise UsageError(f"Lab {lab.number} has no template.yaml to estimate.")
    if not as_json:
        warn(*submission.notes)
    share = given.pop("passing") / 100
    try:
        traffic = estimate.Traffic(passing=share, **given)
    except ValueError as error:
        raise UsageError(f"This traffic cannot be: {error}.") from None
    try:
        stack = template.read(submission.files["template.yaml"].decode("utf-8", "replace"))
    except template.NoTemplate as error:
        raise _not_deployed(error.line, str(error)) from None
    if stack.problems:
        raise _not_deployed(stack.problems[0].line, stack.problems[0].sentence)
    try:
        found = estimate.estimate(stack, traffic, pricing.load(), free=not no_free)
    except ValueError as error:
        raise UsageError(f"A setting of the template is none that AWS takes: {error}.") from None
    if as_json:
        document = {
            "schema": "labs/cost/v1",
            "lab": lab.number,
            "slug": lab.slug,
            "traffic": traffic.document(),
            "free_quotas": not no_free,
            **found.document(),
        }
        emit(json.dumps(document, indent=2) + "\n")
        return
    say(f"Lab {lab.number} {lab.slug}: a month at {traffic.writes_per_second:g} writes a second")
    say("")
    for text in found.text():
        say(text)


def _not_deployed(line: int | None, sentence: str) -> Exception:
    from grader.course.files import UsageError

    place = f":{line}" if line else ""
    return UsageError(
        f"template.yaml{place} cannot be deployed, so nothing is estimated: {sentence}"
    )
