"""What the reader of templates makes of text: lines, scalars, and one sentence for each mistake.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import json

import pytest

from grader.cloud import template
from grader.cloud.template import Problem, TemplateProblems

QUEUE = """\
Resources:
  Failed:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: 5
"""


def problems(text: str, **options: object) -> tuple[Problem, ...]:
    """What is told, be it refused by AWS or beyond the labs."""
    try:
        stack = template.resolve(text, **options)  # type: ignore[arg-type]
    except TemplateProblems as caught:
        return caught.problems
    assert stack.unplayed
    return stack.unplayed


def only(text: str) -> Problem:
    found = problems(text)
    assert len(found) == 1, [str(one) for one in found]
    return found[0]


def value_of(scalar: str) -> object:
    """The value of a scalar as it stands in a place where any JSON may stand."""
    text = f"""\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: {scalar}
"""
    role = template.resolve(text).resources["Role"]
    return role.properties["AssumeRolePolicyDocument"]["Version"]


def test_every_property_knows_its_line_and_quotes_it() -> None:
    failed = template.resolve(QUEUE).resources["Failed"]
    assert failed.line == 2
    assert failed.line_of("DelaySeconds") == 5
    assert failed.source_of("DelaySeconds") == "DelaySeconds: 5"


def test_an_absent_property_has_the_line_of_the_nearest_thing_around_it() -> None:
    text = """\
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: id, AttributeType: S}
      KeySchema:
        - AttributeName: id
          KeyType: HASH
"""
    orders = template.resolve(text).resources["Orders"]
    assert orders.line_of("KeySchema", 0, "KeyType") == 11
    assert orders.line_of("KeySchema", 0, "Nothing", "Deeper") == 10
    assert orders.line_of("StreamSpecification", "StreamViewType") == 2
    assert orders.line_of("DeletionPolicy") == 4
    assert orders.deletion_policy == "Retain"


def test_json_is_read_with_lines_tabs_and_numbers_of_its_own() -> None:
    text = (
        '{\n\t"Resources": {\n\t\t"Failed": {\n\t\t\t"Type": "AWS::SQS::Queue",\n'
        '\t\t\t"Properties": {"DelaySeconds": 5e0, "QueueName": "a\\u002db"}\n\t\t}\n\t}\n}\n'
    )
    failed = template.resolve(text, path="template.json").resources["Failed"]
    assert failed.properties == {"DelaySeconds": 5, "QueueName": "a-b"}
    assert failed.line_of("DelaySeconds") == 5


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2012-10-17", "2012-10-17"),
        ("2012-10-17T10:00:00Z", "2012-10-17T10:00:00Z"),
        ("yes", True),
        ("off", False),
        ("True", True),
        ("tRUE", "tRUE"),
        ('"yes"', "yes"),
        ("12", 12),
        ("0x10", 16),
        ("1_000", 1000),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("012349", "012349"),
        ("1.2.3", "1.2.3"),
        ("!!str 12", "12"),
        ("-", "-"),
        ('"\\ud83d\\ude00"', "😀"),
    ],
)
def test_scalars_follow_yaml_1_1_and_dates_stay_text(written: str, read: object) -> None:
    if written == "-":
        written = '"-"'
    value = value_of(written)
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("0777", "octal"),
        ("000", "quotes"),
        ("10:30", "sixty"),
        (".inf", "not a number"),
        ("1e999", "too large"),
        ("9" * 5000, "5000 characters"),
        ("!!binary aGk=", "!!binary"),
        ("!!timestamp 2012-10-17", "!!timestamp"),
        ("~", "null"),
        ("", "null"),
    ],
)
def test_scalars_that_mean_something_unexpected_are_told(written: str, word: str) -> None:
    with pytest.raises(TemplateProblems, match=word) as caught:
        value_of(written)
    assert caught.value.problems[0].line == 6


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "empty"),
        ("# only a comment\n", None, "empty"),
        ("~\n", None, "empty"),
        ("- a\n", 1, "is a list"),
        ("hello\n", 1, "a single value"),
        ("!Ref x\n", 1, "a function"),
        ("\0\0PK", 1, "NUL"),
        ("a: \x07\n", 1, "U+0007"),
        ("Resources:\n\tQ: 1\n", 2, "tab"),
        ("Resources:\n  Q:\n  \tType: x\n", 3, "tab"),
        (QUEUE + "---\na: b\n", 6, "second YAML document"),
        ("a: b: c\n", 1, "colon"),
        ("a: 'open\n", 2, "quotation mark"),
        ("a: [1, 2\nb: 3\n", 2, "square brackets"),
        ("a: {b: 1\nc: 3\n", 2, "brace"),
        ("a:\n  b: 1\n c: 2\n", 3, "indentation"),
        ("a: *nobody\n", 1, "&nobody"),
        ("a: &x [*x]\n", 1, "inside its own anchor"),
        ("? [a]\n: b\n", 1, "key must be plain text"),
        ('a: "\\UFFFFFFFF"\n', None, "not YAML"),
        ("a: !Base64 !Sub x\n", 1, "Two short forms"),
        ("[" * 5000, 1, "levels deep"),
        ("a: &a0 [x]\n" + "".join(f"b{i}: &a{i + 1} [*a{i}]\n" for i in range(90)), 58, "levels"),
    ],
)
def test_text_that_is_no_template_gets_one_sentence(
    text: str, line: int | None, words: str
) -> None:
    found = [one for one in problems(text) if words in one.sentence]
    assert found, [str(one) for one in problems(text)]
    if line is not None:
        assert found[0].line == line


def test_an_alias_bomb_is_refused_without_being_unfolded() -> None:
    lines = ["a: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"b{i}: &a{i + 1} [{','.join([f'*a{i}'] * 10)}]" for i in range(20)]
    assert "200,000 values" in only("\n".join(lines)).sentence


def test_a_template_above_a_megabyte_is_refused() -> None:
    assert "1,048,576" in only("# " + "x" * 1_048_576).sentence


def test_anchors_are_unfolded_as_package_unfolds_them() -> None:
    text = """\
Resources:
  A:
    Type: AWS::SQS::Queue
    Properties: &same
      DelaySeconds: 5
  B:
    Type: AWS::SQS::Queue
    Properties: *same
"""
    stack = template.resolve(text)
    assert stack.resources["A"].properties == stack.resources["B"].properties == {"DelaySeconds": 5}


def test_a_duplicate_key_names_both_lines() -> None:
    problem = only(QUEUE + "      DelaySeconds: 6\n")
    assert problem.line == 6
    assert "line 5" in problem.sentence


def test_a_merge_key_is_refused() -> None:
    text = QUEUE.replace("      DelaySeconds: 5", "      <<: {DelaySeconds: 5}")
    assert "merge key" in only(text).sentence


def test_an_unknown_tag_is_told_with_the_nearest_function() -> None:
    problem = only(QUEUE.replace("DelaySeconds: 5", "DelaySeconds: !Reff x"))
    assert problem.line == 5
    assert problem.sentence.endswith("Did you mean !Ref?")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (QUEUE.replace("Resources", "Ressources"), "Did you mean Resources?"),
        ("Description: x\n", "no section Resources"),
        ("Resources: {}\n", "Resources is empty"),
        ("Resources: [a]\n", "Resources must be a mapping"),
        ("Resources: {Q: 1}\n", "Resources.Q must be a mapping"),
        ("Resources: {my-queue: {Type: AWS::SQS::Queue}}\n", "only letters and digits"),
        (QUEUE + "Transform: AWS::Serverless-2016-10-31\n", "section Transform"),
        (QUEUE + "Rules: {}\n", "section Rules"),
        (QUEUE + "Globals: {}\n", "section Globals"),
        (QUEUE + "Hooks: {}\n", "section Hooks"),
        (QUEUE + "AWSTemplateFormatVersion: 2010-09-08\n", "2010-09-09"),
        (QUEUE + f"Description: {'x' * 1025}\n", "1,024 bytes"),
    ],
)
def test_sections_are_checked(text: str, words: str) -> None:
    assert any(words in one.sentence for one in problems(text)), problems(text)


def test_metadata_is_ignored_whatever_it_holds() -> None:
    text = QUEUE + "Metadata:\n  anything: [~, {Ref: nobody}]\n  more: {Ref: x, other: y}\n"
    assert template.resolve(text).resources["Failed"].properties == {"DelaySeconds": 5}


def test_all_problems_are_told_at_once_in_line_order() -> None:
    text = """\
Resources:
  A:
    Type: AWS::SQS::Queue
    Properties:
      DelaySecond: 5
  B:
    Type: AWS::SNS::Topics
  C:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !Ref Nobody
"""
    assert [one.line for one in problems(text, path="mine.yaml")] == [5, 7, 11]
    with pytest.raises(TemplateProblems) as caught:
        template.resolve(text, path="mine.yaml")
    assert str(caught.value).splitlines()[0].startswith("mine.yaml:5: A.DelaySecond ")


def test_json_with_a_mistake_is_told_too() -> None:
    text = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}, indent=1)[:-3]
    assert problems(text)
