"""`labs check`: find a template, read it, ask the checklist, write the report.

A template of the Serverless Application Model is translated first (``grader.cloud.template.sam``).
Whatever is wrong with the file given is a UsageError: one sentence, exit code 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.cloud.template import NoTemplate, Problem, Stack, read_root, root_of, shown
from grader.cloud.template.sam import NotTranslated, expand, is_sam
from grader.cloud.template.yaml_lines import MAX_BYTES, Fields
from grader.cloud.words import counted
from grader.course.files import UsageError
from grader.course.files import shown as path_shown
from grader.desk import baseline
from grader.desk.terminal import WIDTH, Paint, plain, wrapped
from grader.review.checklist import ITEMS, Report, Result, review
from grader.review.checklist.answers import VERDICTS, Verdict
from grader.review.checklist.model import PAGE, SEVERITIES

NAMES = ("template.yaml", "template.yml", "template.json")
# What other tools call the template that they write into a folder.
PATTERNS = (
    "*.template.json",
    "*.template.yaml",
    "*.template.yml",
    "cloudformation-template-update-stack.json",
)

# By what a file begins, and how the rest of it is to be read.
_ENCODINGS = (
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"", "utf-8"),
)

_STYLES: dict[Verdict, str] = {
    "not met": "bad",
    "cannot tell": "strong",
    "met": "good",
    "not applicable": "dim",
}
_SIGNS: dict[Verdict, str] = {"not met": "x", "cannot tell": "?", "met": "+", "not applicable": "-"}


@dataclass(frozen=True)
class Checked:
    """A template's report, what is odd about its text, and how much a baseline left out of it.

    ``written`` is the template before SAM's transform.
    """

    report: Report
    remarks: tuple[Problem, ...]
    written: Fields = field(repr=False)
    accepted: int = 0


def find(path: Path) -> Path:
    """The template that ``path`` means: the file itself, or the one template in a folder.

    Raises UsageError when there is none, or several.
    """
    if path.is_file():
        return path
    if not path.exists():
        raise UsageError(f"There is no file {path_shown(path)}.")
    if not path.is_dir():
        raise UsageError(f"{path_shown(path)} is no file.")
    try:
        found = [path / name for name in NAMES if (path / name).is_file()]
        if not found:
            found = sorted(one for pattern in PATTERNS for one in path.glob(pattern))
    except OSError as error:
        raise _unreadable(path, error) from None
    if not found:
        raise UsageError(
            f"{path_shown(path)} holds no {', '.join(NAMES[:-1])} or {NAMES[-1]}; name the file."
        )
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise UsageError(f"{path_shown(path)} holds several templates ({names}); name one.")
    return found[0]


def check(
    file: Path, *, parameters: Mapping[str, str] | None = None, skip: tuple[str, ...] = ()
) -> Checked:
    """Review one template file. ``parameters`` replace defaults, ``skip`` names items left out.

    Raises UsageError for a file that is no CloudFormation template, or cannot be translated.
    """
    known = {item.id for item in ITEMS}
    for name in skip:
        if name not in known:
            raise UsageError(f"There is no item {name!r}; see labs docs {PAGE}.")
    name = path_shown(file)
    if file.suffix in (".tf", ".tfvars", ".tfstate", ".hcl"):
        raise UsageError(f"{name} is Terraform; only CloudFormation templates can be read.")
    return reviewed(text_of(file).text, name, parameters=parameters, skip=skip)


def reviewed(
    text: str,
    name: str,
    *,
    parameters: Mapping[str, str] | None = None,
    skip: tuple[str, ...] = (),
) -> Checked:
    """Review a template's text; ``name`` is its file's for sentences. See ``check``."""
    try:
        root, remarks = root_of(text, name)
        written = root
        hidden: tuple[Problem, ...] = ()
        if is_sam(root):
            expanded = expand(root, name)
            root, hidden = expanded.root, expanded.hidden
            remarks = (*remarks, *expanded.remarks)
        stack = read_root(root, tuple(text.splitlines()), path=name, parameters=parameters)
    except (NoTemplate, NotTranslated) as error:
        place = name if error.line is None else f"{name}:{error.line}"
        raise UsageError(f"{place} cannot be checked. {error}") from None
    _check_parameters(parameters or {}, stack, name)
    return Checked(review(stack, hidden=hidden, skip=skip), remarks, written)


def accepted(checked: Checked, file: Path, accepting: Path) -> Checked:
    """The same without what a baseline accepts. UsageError when the file is none."""
    report, count = baseline.without(checked.report, file, accepting)
    return replace(checked, report=report, accepted=count)


def _check_parameters(given: Mapping[str, str], stack: Stack, name: str) -> None:
    for parameter in given:
        if parameter not in stack.parameters:
            raise UsageError(f"{name} has no parameter {parameter!r}.")


@dataclass(frozen=True)
class FileText:
    """A file's text and how it is kept: the bytes it begins with, and the encoding of the rest."""

    text: str
    start: bytes
    encoding: str

    def kept(self, text: str) -> bytes:
        """Another text as bytes, kept alike."""
        return self.start + text.encode(self.encoding)


def text_of(file: Path) -> FileText:
    """A template's text as it stands. UsageError when it cannot be read."""
    name = path_shown(file)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(
                f"{name} has {file.stat().st_size:,} bytes; CloudFormation takes at most "
                f"{MAX_BYTES:,}."
            )
        data = file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from None
    start, encoding = next(one for one in _ENCODINGS if data.startswith(one[0]))
    try:
        return FileText(data[len(start) :].decode(encoding), start, encoding)
    except UnicodeDecodeError:
        raise UsageError(f"{name} is no text in UTF-8.") from None


def _unreadable(path: Path, error: OSError) -> UsageError:
    reason = (error.strerror or str(error)).lower()
    return UsageError(f"{path_shown(path)} cannot be read: {reason}.")


# -- the report as text -----------------------------------------------------------------------


def text(
    checked: Checked, *, verbose: bool = False, paint: Paint = plain, unknown_is_fine: bool = False
) -> str:
    """The report for a terminal: the worst first, 80 columns, no meaning by colour alone."""
    report = checked.report
    lines = []
    for consumer in report.consumers:
        table = consumer.table.logical_id if consumer.table else "a table outside the template"
        called = consumer.function.logical_id if consumer.function else ""
        reader = called or "A function outside the template"
        if consumer.pipe:
            reader = f"A pipe to {called}" if called else "A pipe"
        lines += [paint(f"{consumer.name} (line {consumer.mapping.line})", "strong")]
        lines += wrapped(f"{reader} reads the stream of {table}.", WIDTH, 2)
        if not consumer.certain:
            lines += wrapped(
                "Its source comes from outside; it is taken for a DynamoDB stream.", WIDTH, 2
            )
        lines.append("")
        lines += _consumer(report.about(consumer.name), verbose, paint)
    lines += _aside(checked)
    lines += _closing(report, verbose, paint, unknown_is_fine)
    if checked.accepted:
        lines.append(f"The baseline accepts {counted(checked.accepted, 'finding')}.")
    return "\n".join(lines) + "\n"


def _consumer(results: tuple[Result, ...], verbose: bool, paint: Paint) -> list[str]:
    lines: list[str] = []
    order = {severity: number for number, severity in enumerate(SEVERITIES)}
    for verdict in VERDICTS:
        some = [result for result in results if result.verdict == verdict]
        some.sort(key=lambda result: order[result.item.severity])
        whole = verdict in ("not met", "cannot tell")
        for result in some if whole or verbose else ():
            lines += _result(result, whole, paint)
        if some and not whole and not verbose:
            names = ", ".join(result.item.id for result in some)
            sign = paint(f"{_SIGNS[verdict]} {verdict}", _STYLES[verdict])
            body = wrapped(f"{len(some)}: {names}", WIDTH - 4, 4)
            lines += [f"  {sign}", *body, ""]
    return lines


def _result(result: Result, whole: bool, paint: Paint) -> list[str]:
    verdict = result.verdict
    head = paint(f"{_SIGNS[verdict]} {verdict}", _STYLES[verdict])
    lines = [f"  {head}  {result.item.severity}  {result.item.id}"]
    lines += wrapped(result.detail, WIDTH - 4, 4)
    for evidence in result.evidence:
        quote = f"line {evidence.line}: {shown(evidence.quote)}"
        lines += wrapped(quote, WIDTH - 6, 6)
    if whole:
        lines += wrapped(f"Why: {result.item.why}", WIDTH - 4, 4)
        lines += wrapped(f"Fix: {result.item.fix}", WIDTH - 4, 4)
    return [*lines, ""]


def _aside(checked: Checked) -> list[str]:
    lines: list[str] = []
    for line, sentence in checked.report.hidden:
        where = f" (line {line})" if line else ""
        lines += wrapped(f"Out of sight: {sentence}{where}.", WIDTH)
    for remark in checked.remarks[:5]:
        where = f"Line {remark.line}: " if remark.line else ""
        lines += wrapped(f"{where}{remark.sentence}", WIDTH)
    if len(checked.remarks) > 5:
        lines.append(f"{len(checked.remarks) - 5} more remarks stand in the JSON document.")
    return [*lines, ""] if lines else []


def _switched_off(report: Report) -> str:
    if not report.off:
        return ""
    names = ", ".join(report.off)
    return (
        f" What stands behind a false condition does not exist (false here: {names}); "
        "--parameter NAME=VALUE may change that."
    )


def _closing(report: Report, verbose: bool, paint: Paint, unknown_is_fine: bool) -> list[str]:
    count = len(report.consumers)
    if not count:
        return wrapped(
            f"{report.path} has no consumer of a DynamoDB stream: no event source mapping and no "
            f"pipe whose source is one.{_switched_off(report)} There is nothing to check.",
            WIDTH,
        )
    parts = []
    for verdict in VERDICTS:
        of_it = report.count(verdict)
        if of_it:
            inner = ""
            if verdict in ("not met", "cannot tell"):
                inner = _by_severity(report, verdict)
            parts.append(f"{of_it} {verdict}{inner}")
    consumers = counted(count, "consumer")
    lines = wrapped(f"{report.path}: {consumers}; {', '.join(parts)}.", WIDTH)
    if report.decides(unknown_is_fine=unknown_is_fine):
        lines.append(paint("Everything that counts is met.", "good"))
    elif not report.count("not met", advice=False):
        lines += wrapped(
            "Nothing that counts is missing, but not all of it can be told from this file: give "
            "--parameter NAME=VALUE, or --allow-unknown to let it pass.",
            WIDTH,
        )
    if not verbose:
        lines.append("-v shows the evidence for what is met.")
    return lines


def _by_severity(report: Report, verdict: Verdict) -> str:
    found: list[str] = []
    for severity in SEVERITIES:
        number = sum(r.verdict == verdict and r.item.severity == severity for r in report.results)
        if number:
            found.append(f"{number} {severity}")
    return f" ({', '.join(found)})"
