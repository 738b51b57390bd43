"""Mutants of a solution: which there are, that they are the same each time, and the lists of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from grader.course import lab
from grader.course.grade import Finding, Grade, Verdict
from grader.course.stage import STARTS
from grader.maintain import mutants
from grader.maintain.mutants import Found, Mutant

HANDLER = b'''"""Words."""
import logging
log = logging.getLogger()

def count(many):
    """More words."""
    if many > 3 and many:
        log.info("said %d", 40)
        raise ValueError("too many")
    return {"a": many + 1, "b": [True]}
'''
TEMPLATE = b"""Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      # A comment.
      Retention: 10
      Encrypted: true
      Policy:
        - Action: [sqs:Send, sqs:Get]
          Resource: !Ref Queue
          Effect: Allow
      Description: 5
"""


def _made(name: str, content: bytes) -> dict[str, Mutant]:
    return {one.name: one for one in mutants.mutants({name: content})}


def test_each_operator_changes_one_thing_of_a_handler() -> None:
    made = {name: one.text() for name, one in _made("handler.py", HANDLER).items()}

    def told(change: str) -> str:
        return made[f"handler.py: {change}"]

    assert "if not (many > 3 and many):" in told("turn the condition `many > 3 and many`")
    assert "if many > 3 or many:" in told("the other operator in `many > 3 and many`")
    assert "if many >= 3 and many:" in told("the other comparison in `many > 3`")
    assert "if many > 4" in told("make it 4, not `3`")
    assert "if many > 2" in told("make it 2, not `3`")
    assert "many - 1" in told("the other operator in `many + 1`")
    assert "'ax': many" in told("make it 'ax', not `'a'`")
    assert "[False]" in told("make it False, not `True`")
    assert "return {'b': [True]}" in told("leave out the entry `'a'`")
    assert "'b': []" in told("leave out the element `True`")
    assert "pass" in told("drop the statement `return {'a': many + 1, 'b': [True]}`")


def test_what_is_only_said_is_left_alone() -> None:
    """No docstring, import, line of a log or sentence of an error is mutated."""
    names = " ".join(_made("handler.py", HANDLER))
    for words in ("Words", "words", "import", "not `'said", "`40`", "not `'too many'`"):
        assert words not in names


def test_every_mutant_differs_and_can_be_parsed() -> None:
    """Of the real solutions: a mutant that is the solution would be a survivor for nothing."""
    for chosen in lab.labs():
        files = {name: (chosen.solution / name).read_bytes() for name in chosen.editable}
        made = mutants.mutants(files)
        assert len({one.name for one in made}) == len(made)
        code = [one for one in made if one.file.endswith(".py")]
        for one in code[::25]:
            assert ast.dump(ast.parse(one.text())) != ast.dump(ast.parse(files[one.file]))
        for one in made:
            if one not in code:
                assert one.text() != files[one.file].decode(), one.name


def test_a_template_loses_properties_and_moves_settings() -> None:
    made = {name: one.text() for name, one in _made("template.yaml", TEMPLATE).items()}

    def told(change: str) -> str:
        return made[f"template.yaml: Queue: {change}"]

    assert "Encrypted" not in told("remove `Encrypted: true`")
    assert "Encrypted: false" in told("make Encrypted false, not `true`")
    for number in (9, 11, 100, 1):
        assert f"Retention: {number}\n" in told(f"make Retention {number}, not `10`")
    assert '["sqs:*", sqs:Get]' in told('make Action "sqs:*", not `sqs:Send`')
    assert "sts:GetCallerIdentity" in told("make Action sts:GetCallerIdentity, not `sqs:Get`")
    assert 'Resource: "*"\n          Effect' in told("let Resource be anything")
    assert "Effect: Deny" in told("make Effect Deny, not `Allow`")
    assert not any("Description" in name for name in made if "remove `Policy" not in name)


def _grade(outcome: str, rule: str) -> Grade:
    from grader.course import judge

    criterion = judge.criteria(lab.find("5"))[0]
    finding = Finding(rule, "", "", "", "", "", "", "")
    verdict = Verdict(criterion, outcome, finding)  # type: ignore[arg-type]
    return Grade(lab=5, slug="cost", seed=0, verdicts=[verdict], files={}, notes=[], advice=[])


@pytest.mark.parametrize(
    ("outcome", "rule", "where"),
    [
        ("met", "", "survivors"),
        ("skipped", "", "survivors"),
        ("unmet", "Sums are right.", "killed"),
        ("unreached", "Sums are right.", "killed"),
        ("unmet", STARTS, "uncounted"),
        ("broken", "", "broken"),
    ],
)
def test_a_mutant_counts_unless_nothing_could_be_played(
    outcome: str, rule: str, where: str
) -> None:
    found = Found()
    mutants._sort(found, Mutant("m", "handler.py", 1, "", str), _grade(outcome, rule))
    value = getattr(found, where)
    assert (value if isinstance(value, int) else len(value)) == 1
    assert found.counted == (where != "uncounted")


@pytest.mark.parametrize("chosen", lab.labs(), ids=lambda chosen: chosen.name)
def test_the_lists_name_mutants_and_places_that_exist(chosen: lab.Lab) -> None:
    """A solution that changes takes what was said of its mutants along."""
    root = Path(__file__).parents[2]
    files = {name: (chosen.solution / name).read_bytes() for name in chosen.editable}
    made = mutants.mutants(files)
    equivalent, elsewhere = (
        mutants.told(chosen, what, root) for what in ("equivalent", "elsewhere")
    )

    assert set(equivalent) <= {one.name for one in made}
    for name in elsewhere:
        assert any(mutants.is_elsewhere(one, [name]) for one in made), name
    assert all(why.endswith(".") for why in (*equivalent.values(), *elsewhere.values()))
