"""Everything that is generated and committed, and the one command that renews it.

`labs dev sync` brings in step: the pristine mirror of ``labs/``, the pages and the script that say
what the code says (`generated`), the pictures and the players. What is recorded from judged runs
(golden texts, the simulator's record) is not renewed here: it is written by ``UPDATE_GOLDEN=1`` and
read by a person. `labs dev check` refuses a page that is not what the code says.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from grader.course.files import PACKAGE, UsageError, files_in, write_whole
from grader.course.lab import labs
from grader.maintain import schemas, worked
from grader.replay import drawing
from grader.review import pricing

Generated = Mapping[str, Callable[[], str]]


def generated(command: click.Group) -> Generated:
    """What writes each generated file, by its path in the clone; ``command`` is ``labs`` itself."""
    return {
        "docs/reference/cli.md": lambda: cli_reference(command),
        "docs/reference/templates.md": templates_reference,
        "docs/reference/own-stacks.md": own_reference,
        "docs/reference/production-checklist-items.md": checklist_reference,
        "docs/reference/tuning-claims.md": claims_reference,
        "docs/reference/run-document.md": run_reference,
        "docs/reference/sandbox-operations.md": sandbox_reference,
        "docs/reference/sample-events.md": sample_events,
        "docs/assets/js/prices.js": prices_script,
        "docs/assets/js/drawing.js": lambda: drawing.SCRIPT,
        "docs/cards.md": cards_page,
        schemas.SCHEMAS: schemas.schemas_table,
        schemas.TYPES: schemas.types_table,
        **{worked.place(one): partial(worked.text, one) for one in worked.EXAMPLES},
    }


def drift(root: Path, pages: Generated) -> Iterator[str]:
    """The generated files of the clone at ``root`` that are not what the code says."""
    for name, text in pages.items():
        page = root / name
        if not page.is_file() or page.read_text(encoding="utf-8") != text():
            yield name


def sync(root: Path, pages: Generated) -> list[str]:
    """Bring everything that is generated into step; returns what was done."""
    done = [*_mirrored(root)]
    for name in drift(root, pages):
        write_whole(root / name, pages[name]().encode())
        done.append(f"{name} written")
    return [*done, *_played(root)]


def _mirrored(root: Path) -> Iterator[str]:
    mirror = root / "grader" / "course" / "starters"
    for lab in labs(root / "labs"):
        wanted = {name: (lab.starter / name).read_bytes() for name in lab.files}
        target = mirror / lab.name
        present = files_in(target) if target.is_dir() else []
        for name in sorted(set(present) - set(wanted)):
            (target / name).unlink()
            yield f"{lab.name}/{name} removed from grader/course/starters"
        for name, content in wanted.items():
            if not (target / name).is_file() or (target / name).read_bytes() != content:
                write_whole(target / name, content)
                yield f"{lab.name}/{name} copied to grader/course/starters"


def _played(root: Path) -> Iterator[str]:
    """Draw the pictures, and record the players, that are not what is played now."""
    for name in ("pictures", "players"):
        tool = root / "tools" / name
        if not tool.is_dir():
            continue
        done = subprocess.run([sys.executable, tool], cwd=root, capture_output=True, text=True)
        if done.returncode:
            raise UsageError(f"The {name} cannot be made: {done.stderr.strip().splitlines()[-1]}")
        yield from done.stdout.splitlines()


# --- the command line -------------------------------------------------------------------------


def cli_reference(command: click.Group) -> str:
    """The command reference as Markdown, from the commands themselves."""
    parts = [
        "# The `labs` command\n",
        "<!-- Written by `labs dev sync` from grader/desk/cli.py. Do not edit. -->\n",
        "## Exit codes\n",
        "| code | meaning |\n|---|---|\n"
        "| 0 | done, and everything is met |\n"
        "| 1 | not everything is met |\n"
        "| 2 | the command was used wrongly; nothing was changed |\n"
        "| 3 | the grader is at fault; it costs no points, please report it |\n",
        "Ctrl-C ends a command with 130, as shells expect.\n",
    ]
    for path, one in _commands(command, "labs"):
        parts += _command(path, one)
    return "\n".join(parts)


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def _command(path: str, command: click.Command) -> list[str]:
    """One command: usage, text, examples, options. Its help marks its examples with ``\\b``."""
    text = (command.help or "").strip()
    prose, _, examples = text.partition("\b\n")
    words = [_metavar(p) for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    usage = " ".join([path, *(["[OPTIONS]"] if options else []), *words])
    if isinstance(command, click.Group):
        usage += " COMMAND"
    parts = [f"## `{path}`\n", f"```text\n{usage}\n```\n"]
    parts += [" ".join(block.split()) + "\n" for block in prose.split("\n\n") if block.strip()]
    if options:
        rows = [f"| `{_option(option)}` | {option.help or ''} |" for option in options]
        parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n")
    if examples.strip():
        lines = [line.strip() for line in examples.strip().splitlines()]
        parts.append("```text\n" + "\n".join(lines) + "\n```\n")
    return parts


def _metavar(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {'/'.join(map(str, option.type.choices))}"
    return f"{names} {option.metavar or option.type.name.upper()}"


# --- what the code knows ----------------------------------------------------------------------


def templates_reference() -> str:
    """What the resolver knows of CloudFormation as Markdown, from its own table."""
    from grader.cloud import template

    parts = [
        "---\ndescription: What the labs act out of CloudFormation, by type and property.\n"
        "search: {exclude: true}\n---\n",
        "# Templates: what is acted out\n",
        "<!-- Written by `labs dev sync` from grader/cloud/template. Do not edit. -->\n",
        "A lab's `template.yaml` is real CloudFormation: `aws cloudformation package` and `deploy` "
        "take it as it stands. Before a lab is played, the template is resolved as CloudFormation "
        "would resolve it: parameters, mappings, conditions, and the functions Ref, GetAtt, Sub, "
        "Join, Select, Split, If, FindInMap, GetAZs, Base64 and the condition functions. What AWS "
        "would refuse is told with its line, and ends the deployment.\n",
        "*Acted out* means that the labs behave accordingly. *Kept* means that AWS knows it, that "
        "it changes nothing in the labs, and that a criterion may still look at it. *Not played* "
        "means that AWS takes it and the labs cannot play it: what depends on it is not reached, "
        "and every other criterion is judged. So it is with nested stacks, macros, custom "
        "resources, imported values and parameters without a value. Any other resource type that "
        "AWS publishes, such as a rule of EventBridge, is kept: nothing happens there, and what "
        "refers to it gets a made-up name.\n",
        "Names, types, ranges and choices of properties are those of AWS's published resource "
        "schemas.\n",
    ]
    words = {"emulated": "acted out", "harmless": "kept", "refused": "not played"}
    for kind, rows in groupby(template.support(), key=lambda one: one.type):
        parts.append(f"## `{kind}`\n")
        lines = [f"| `{row.property}` | {words[row.use]} | {row.note} |" for row in rows]
        parts.append("\n".join(["| property | here | note |", "|---|---|---|", *lines]) + "\n")
    return "\n".join(parts)


def own_reference() -> str:
    """What of a team's own stack is played, kept and refused, as Markdown, from the code."""
    from grader.cloud import iam, template
    from grader.cloud.account import TAKEN

    taken: dict[str, list[str]] = {}
    for action in TAKEN:
        service, _, operation = action.partition(":")
        taken.setdefault(service, []).append(f"`{operation}`")
    played = {
        service: [f"`{one}`" for one in sorted(operations)]
        for service, operations in iam.allowed_operations().items()
    }
    parts = [
        "---\ndescription: What of a team's own stack is played, kept and refused, property by "
        "property.\ntags: [testing]\n---\n",
        "# Your own stack: what is played\n",
        "<!-- Written by `labs dev sync` from grader/cloud. Do not edit. -->\n",
        "How a stack of yours is deployed stands in [Test your own stack](test-your-own-stack.md). "
        "*Played* means that the emulator behaves as AWS. *Kept* means that it is accepted and "
        "changes nothing. *Refused* means that it is not acted out, and `pipeline.unplayed` says "
        "so.\n",
        "## Calls of functions { #calls }\n",
        "Played, by the function's role:\n",
        *_by_service(played),
        "Kept, where the role allows the action on what the call names: answered, and to be looked "
        "at with `pipeline.calls`. Parameters and secrets come from the test.\n",
        *_by_service(taken),
        "Refused is every other call, with a sentence that names the hook: "
        '`pipeline.answer("states:StartSyncExecution", callable)` answers it, and so does '
        '`pipeline.answer("https://api.example.com/", callable)` for a request elsewhere.\n',
        "## Resource types { #types }\n",
        "| type | here |\n|---|---|",
        *(f"| `{one}` | played |" for one in sorted(template.RESOURCE_TYPES)),
        *(f"| `{one}` | kept; code that asks for it gets it |" for one in sorted(template.READ)),
        "| `AWS::CloudFormation::Stack`, `AWS::Serverless::Application` | played when its template "
        "lies beside yours, else kept |",
        "| `AWS::Serverless::…` | played as what SAM's transform makes of it |",
        "| every other | kept: it gets a made-up name |\n",
        "A function whose runtime is not Python, or whose code is not there, is played with a "
        "stand-in of yours. A property that is *refused* is left out alone where the rest behaves "
        "as it would have anyway; elsewhere its resource goes, and a consumer that depends on it "
        "is not deployed.\n",
    ]
    for kind, rows in groupby(template.support(), key=lambda one: one.type):
        parts.append(f"## `{kind}`\n")
        lines = [
            f"| `{row.property}` | {template.standing(kind, row.property, row.use)} | {row.note} |"
            for row in rows
        ]
        parts.append("\n".join(["| property | here | note |", "|---|---|---|", *lines]) + "\n")
    return "\n".join(parts)


def _by_service(operations: Mapping[str, list[str]]) -> list[str]:
    rows = [f"| {service} | {', '.join(names)} |" for service, names in operations.items()]
    return ["| service | operations |\n|---|---|", *rows, ""]


def sandbox_reference() -> str:
    """What the sandbox answers as Markdown, from its own register."""
    from grader.sandbox.reference import operations_reference

    return operations_reference()


def run_reference() -> str:
    """The format of a run as Markdown, field by field, from its JSON schema."""
    from grader.replay.run import SCHEMA_FILE

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    parts = [
        "---\ndescription: Every field of the document that describes a run of a lab.\n"
        "search: {exclude: true}\n---\n",
        "# A run as data: `labs/run/v1`\n",
        "<!-- Written by `labs dev sync` from grader/replay/run.schema.json. Do not edit. -->\n",
        "`labs run N [SCENARIO] --json` prints one document with everything that happened: which "
        "record was written when and what became of it, every attempt with its answer and the rule "
        "that Lambda applied, calls, logs, notes, metrics and alarms. Every picture of a run is "
        "made from such a document.\n",
        "Records, batches and resources are named by their role; no generated id, no path and no "
        "time of this machine is in it. Moments are milliseconds of virtual time since the play's "
        "start, minutes count from it, too. The same files and seed give the same bytes. Each play "
        "is a line of its own. The JSON schema is `grader/replay/run.schema.json`.\n",
        "Where the files cannot be played to the end, `stopped` says why, the document holds what "
        "was played until then, and the exit code is 1.\n",
    ]
    for name, fields in _objects("the document", schema):
        parts.append(f"## {name[0].upper()}{name[1:]}\n")
        rows = [f"| `{one}` | {_kind(field)} | {_meaning(field)} |" for one, field in fields]
        parts.append("\n".join(["| field | type | meaning |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


# What one element of a list is called.
_ONE = {"batches": "attempt"}


def _objects(name: str, schema: Any) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Every object of a schema with its fields, from the outside in."""
    fields = list(schema.get("properties", {}).items())
    if fields:
        yield name, fields
    for field, inner in fields:
        for one in (inner, inner.get("items", {}), *inner.get("anyOf", ())):
            if isinstance(one, dict) and "properties" in one:
                single = _ONE.get(field, field.removesuffix("s"))
                yield from _objects(f"one of `{field}`" if single != field else f"`{field}`", one)


def _kind(field: Any) -> str:
    if "const" in field:
        return "text"
    kinds = field.get("type") or [one.get("type") for one in field.get("anyOf", [])] or ["any"]
    words = {"string": "text", "integer": "number", "array": "list", "boolean": "true or false"}
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(words.get(one, one) for one in kinds)


def _meaning(field: Any) -> str:
    told = str(field["description"])
    items = field.get("items")
    if isinstance(items, dict) and "prefixItems" in items:
        told += f" Each is a list. {items['description']}"
    elif isinstance(items, dict) and "prefixItems" in (items.get("items") or {}):
        told += f" {items['items']['description']}"
    return told


def checklist_reference() -> str:
    """Every item of the production checklist as Markdown."""
    from grader.review.checklist import ITEMS, output

    return output.reference(ITEMS)


def sample_events() -> str:
    """One record of each kind, as the emulator's mapping hands it to a function."""
    from grader.cloud import Bench

    bench, seen = Bench(), list[dict[str, Any]]()
    stream = bench.stream("Orders", keys=["merchant", "id"])
    bench.function("totals", seen.append)
    placed, shipped = (
        {"merchant": {"S": "acme"}, "id": {"S": "order#1"}, "kind": {"S": "order"},
         "amount": {"N": "1250"}, "status": {"S": status}}
        for status in ("placed", "shipped")
    )  # fmt: skip
    cart = {"merchant": {"S": "acme"}, "id": {"S": "cart#1"}, "expires": {"N": "1793610000"}}
    changes = [(None, placed), (placed, shipped), (shipped, None), (cart, None)]
    for old, new in changes:
        stream.write(old, new, bench.now, ttl_delete=old is cart)
    bench.create(FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON")
    bench.drain()
    titles = ("INSERT: an item is new", "MODIFY: an item has changed", "REMOVE: somebody deleted "
              "it", "REMOVE: Time to Live deleted it")  # fmt: skip
    parts = [
        "---\n"
        "description: A stream's record of each kind, as Lambda hands it to a function.\n"
        "tags: [streams, reference]\n"
        "---\n\n"
        "# Sample events\n",
        "<!-- Written by `labs dev sync` from the emulator. Do not edit. -->\n",
        'Put one or more of these into the list of `{"Records": […]}` to try a handler: '
        "[by hand](../operations/procedures.md#sample-event), or in "
        "[a test of your own](test-your-own-stack.md). What each field means: "
        "[what a record says](../modules/01-stream-setup.md#records).\n",
    ]
    for title, record in zip(titles, seen[0]["Records"], strict=True):
        parts.append(f"## {title}\n\n```json\n{json.dumps(record, indent=2)}\n```\n")
    return "\n".join(parts)


@cache
def claims_reference() -> str:
    """The tuning guides' claims, computed."""
    from grader.maintain import claims

    return claims.render(claims.claims(pricing.load()))


def prices_script() -> str:
    """The price list for the browser, from ``pricing.toml``."""
    known = pricing.load()
    prices = [
        {
            "id": price.id,
            "name": price.name,
            "unit": price.unit,
            "per": float(price.per),
            "tiers": [
                {
                    "upTo": None if tier.up_to is None else float(tier.up_to),
                    "price": float(tier.price),
                }
                for tier in price.tiers
            ],
            "quota": price.quota,
            "knownUpTo": None if price.known_up_to is None else float(price.known_up_to),
        }
        for price in known.prices.values()
    ]
    quotas = {
        quota.id: {"id": quota.id, "amount": float(quota.amount), "hourly": quota.hourly}
        for quota in known.quotas.values()
    }
    data = json.dumps({"prices": prices, "quotas": quotas}, indent=1)
    return (
        "// Written by `labs dev sync` from grader/review/pricing.toml. Do not edit.\n"
        '"use strict";\n\n'
        "globalThis.streamlabs = globalThis.streamlabs || {};\n"
        f"Object.assign(globalThis.streamlabs, {data});\n"
    )


def cards_page() -> str:
    """All flashcards and questions of the modules as one page, with links that hold from there."""
    parts = [
        "---\n"
        "description: Every flashcard in one deck, and every question that you missed.\n"
        "scripts: [progress]\n"
        "search: {exclude: true}\n"
        "---\n\n"
        "# All flashcards\n",
        "<!-- Written by `labs dev sync` from the modules' pages. Do not edit. -->\n",
        "A card that you know moves up a box and comes back later: after a day, three days, a "
        "week, two weeks. A card that you forgot starts again in the first box.\n",
        "## The cards { #cards }\n",
        '<div class="cards-review" markdown>\n',
    ]
    parts += _blocks_of_modules("cards")
    parts += [
        "</div>\n",
        "## Questions that come back { #questions }\n",
        "A question that you missed in a module's quiz is asked again here: after a day, then "
        "after 3, 7 and 14 days.\n",
        '<div class="quiz-review" markdown>\n',
        *_blocks_of_modules("quiz"),
        "</div>\n",
        "## Your progress { #progress-here }\n",
        "Answers, cards and ticks are kept in this browser and nowhere else.\n",
        '<div id="progress" markdown>\nKeeping progress needs JavaScript.\n</div>\n',
    ]
    return "\n".join(parts)


def _blocks_of_modules(kind: str) -> Iterator[str]:
    """The blocks of one class on the modules' pages, under the title of each page."""
    for page in sorted((PACKAGE.parent / "docs" / "modules").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        title = re.search(r"^# (.+)$", text, re.M)
        blocks = re.findall(rf'^<div class="{kind}".*?^</div>$', text, re.M | re.S)
        if blocks:
            name = title[1] if title else page.stem
            # Questions that are not due are hidden: a heading would stay in the table of contents.
            yield ("### {}\n" if kind == "cards" else "**{}**\n").format(
                f"Module {int(page.stem[:2])}: {name}"
            )
        for block in blocks:
            yield _links_from_above(block, page.name) + "\n"


def _links_from_above(text: str, name: str) -> str:
    """Links of a page in ``modules/`` as they read one folder further up."""

    def moved(link: re.Match[str]) -> str:
        target = link[1]
        if re.match(r"[a-z]+:", target):
            return link[0]
        if target.startswith("#"):
            return f"](modules/{name}{target})"
        if target.startswith("../"):
            return f"]({target.removeprefix('../')})"
        return f"](modules/{target})"

    return re.sub(r"\]\(([^)\s]+)\)", moved, text)
