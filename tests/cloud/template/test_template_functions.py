"""Parameters, conditions and intrinsic functions, and the order in which resources are made.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Any

import pytest

from grader.cloud import template
from grader.cloud.template import Problem, Stack, TemplateProblems, Unknown

HEAD = """\
Parameters:
  Stage: {Type: String, Default: dev}
  Delay: {Type: Number, Default: 7}
  Names: {Type: CommaDelimitedList, Default: "a, b,c"}
Mappings:
  Sizes:
    us-east-1: {delay: 9, zones: [x, y]}
    eu-west-1: {delay: 3}
Conditions:
  IsDev: !Equals [!Ref Stage, dev]
  IsProd: !Not [{Condition: IsDev}]
"""

RESOURCES = """\
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Failed:
    Type: AWS::SQS::Queue
  Sometimes:
    Type: AWS::SQS::Queue
    Condition: IsProd
"""


def with_output(value: str) -> str:
    return HEAD + RESOURCES + "Outputs:\n  Out:\n    Value:" + _block(value)


def _block(value: str) -> str:
    text = dedent(value)
    return f" {text}\n" if "\n" not in text else "\n" + indent(text, "      ") + "\n"


def out(value: str, **options: Any) -> Any:
    return template.resolve(with_output(value), **options).outputs["Out"]


def problems(text: str, **options: Any) -> tuple[Problem, ...]:
    """What is told, be it refused by AWS or beyond the labs."""
    try:
        stack = template.resolve(text, **options)
    except TemplateProblems as caught:
        return caught.problems
    assert stack.unplayed
    return stack.unplayed


def told(text: str, **options: Any) -> str:
    found = problems(text, **options)
    assert len(found) == 1, [str(one) for one in found]
    return found[0].sentence


ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/labs-Orders-"


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("!Ref Stage", "dev"),
        ("{Ref: Stage}", "dev"),
        ("!Ref Delay", "7"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::AccountId", "123456789012"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        ("!Ref AWS::StackName", "labs"),
        ('!Join ["-", [a, 1, true, !Ref Stage]]', "a-1-true-dev"),
        ('!Join ["+", !Ref Names]', "a+b+c"),
        ("{'Fn::Join': [',', !Ref AWS::NotificationARNs]}", ""),
        ("!Sub '${Stage}-${AWS::Region}-${!Literal}-${Failed.QueueName}'", None),
        ("!Sub ['${x}${Stage}', {x: !Ref Delay}]", "7dev"),
        ("!Sub plain $ {text}", "plain $ {text}"),
        ("!Select [1, !Ref Names]", "b"),
        ("!Select ['0', [x, y]]", "x"),
        ("!Select [2, !Split ['/', a/b/c]]", "c"),
        ("!Select [0, !GetAZs '']", "us-east-1a"),
        ("!Select [1, !FindInMap [Sizes, !Ref AWS::Region, zones]]", "y"),
        ("!FindInMap [Sizes, us-east-1, delay]", 9),
        ("!If [IsDev, yes-it-is, no-it-is-not]", "yes-it-is"),
        ("!If [IsProd, yes-it-is, !If [IsDev, inner, other]]", "inner"),
        ("!Base64 hello", "aGVsbG8="),
        ("Fn::Base64:\n  !Sub '${Stage}'", "ZGV2"),
    ],
)
def test_functions_yield_what_cloudformation_yields(function: str, value: Any) -> None:
    if value is None:
        stack = template.resolve(with_output(function))
        name = stack.resources["Failed"].attributes["QueueName"]
        value = f"dev-us-east-1-${{Literal}}-{name}"
    assert out(function) == value


def test_get_att_takes_text_and_lists_in_both_spellings() -> None:
    spellings = [
        "!GetAtt Orders.Arn",
        "!GetAtt [Orders, Arn]",
        "{'Fn::GetAtt': [Orders, Arn]}",
        "{'Fn::GetAtt': Orders.Arn}",
    ]
    values = {out(spelling) for spelling in spellings}
    assert len(values) == 1
    assert values.pop().startswith(ARN)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("!Ref Order", "Did you mean Orders?"),
        ("!Ref AWS::Acount", "no pseudo parameter"),
        ("!Ref [a]", "Ref takes one name"),
        ("!GetAtt Orders", "a dot and an attribute"),
        ("!GetAtt Order.Arn", "Did you mean Orders?"),
        ("!GetAtt Stage.Arn", "is a parameter"),
        ("!GetAtt Orders.Name", "it has Arn or StreamArn"),
        ("!GetAtt Orders.arn", "Did you mean Arn?"),
        ("!GetAtt Orders.StreamArn", "add StreamSpecification"),
        ("!Sub '${Order}'", "Did you mean Orders?"),
        ("!Sub '${Orders.StreamArn}'", "has no stream"),
        ("!Sub '${ Stage }'", "no variable of Fn::Sub"),
        ("!Sub ['${x}']", "Fn::Sub takes"),
        ("!Sub '${AWS::NoValue}'", "AWS::NoValue"),
        ("!Sub '${Names}'", "one of its parts is a list"),
        ("!Join [a]", "Fn::Join takes"),
        ("!Join [[], [a]]", "Fn::Join takes"),
        ("!Select [3, !Ref Names]", "index 3"),
        ("!Select [x, !Ref Names]", "Fn::Select takes"),
        ("!Split ['', abc]", "Fn::Split takes"),
        ("!FindInMap [Size, us-east-1, delay]", "Did you mean Sizes?"),
        ("!FindInMap [Sizes, mars, delay]", "us-east-1 or eu-west-1"),
        ("!FindInMap [Sizes, us-east-1, nothing]", "It has delay or zones"),
        ("!If [IsDevelopment, a, b]", "no condition"),
        ("!If [IsDev, a]", "Fn::If takes"),
        ("!Ref Sometimes", "its condition IsProd is false"),
        ("!Equals [a, a]", "section Conditions"),
        ("!ImportValue x", "Fn::ImportValue"),
        ("!Cidr [a, 1, 2]", "Fn::Cidr"),
        ("!Transform {Name: x}", "Fn::Transform"),
        ("{'Fn::Length': [a]}", "AWS::LanguageExtensions"),
        ("{'Fn::ForEach::Loop': []}", "AWS::LanguageExtensions"),
        ("{'Fn::Joins': [a]}", "Did you mean Fn::Join?"),
        ("{Ref: Stage, Other: x}", "stands beside other keys"),
        ("!Ref AWS::NoValue", "AWS::NoValue"),
        ("[a]", "a list"),
    ],
)
def test_a_wrong_function_is_told_with_its_line(function: str, words: str) -> None:
    text = with_output(function)
    line = len((HEAD + RESOURCES).splitlines()) + 3
    found = problems(text)
    assert any(words in one.sentence and one.line == line for one in found), found


def test_a_name_that_does_not_exist_is_told_in_the_branch_not_taken_too() -> None:
    assert "Nobody" in told(with_output("!If [IsDev, x, !Ref Nobody]"))


def test_a_branch_not_taken_may_name_what_is_not_created() -> None:
    assert out("!If [IsProd, !Ref Sometimes, none]") == "none"


def test_no_value_leaves_out_the_property_and_the_list_entry() -> None:
    text = (
        HEAD
        + """\
Resources:
  Failed:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !Ref AWS::NoValue
      VisibilityTimeout: !If [IsDev, 5, !Ref AWS::NoValue]
      Tags:
        - !If [IsProd, {Key: a, Value: b}, !Ref AWS::NoValue]
        - {Key: c, Value: d}
"""
    )
    failed = template.resolve(text).resources["Failed"]
    assert failed.properties == {"VisibilityTimeout": 5, "Tags": [{"Key": "c", "Value": "d"}]}
    assert failed.line_of("Tags", 0) == 20
    assert failed.line_of("DelaySeconds") == failed.line


# -- parameters ------------------------------------------------------------------------------


def parameter(body: str, given: dict[str, str] | None = None) -> Any:
    text = f"Parameters:\n  P: {body}\nResources:\n  Failed: {{Type: AWS::SQS::Queue}}\n"
    return template.resolve(text, parameters=given).parameters["P"]


def test_a_parameter_is_text_or_a_list_of_texts() -> None:
    assert parameter("{Type: Number, Default: 1.5}") == "1.5"
    assert parameter("{Type: String, Default: true}") == "true"
    assert parameter("{Type: List<Number>, Default: '1, 2'}") == ["1", "2"]
    assert parameter("{Type: String}", {"P": "given"}) == "given"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{Type: String}", "has no Default"),
        ("{Default: x}", "has no Type"),
        ("{Type: string, Default: x}", "Did you mean String?"),
        ("{Type: Number, Default: x}", "is no number"),
        ("{Type: String, Default: x, AllowedValues: [a, b]}", 'AllowedValues: "a", "b"'),
        ("{Type: String, Default: x, MinLength: 2}", "too few"),
        ("{Type: Number, Default: 9, MaxValue: 5}", "out of its range"),
        ("{Type: String, Default: x, AllowedPattern: '[0-9]+'}", "does not match"),
        ("{Type: String, Default: x, AllowedPattern: '['}", "no regular expression"),
        ("{Type: String, Default: aaaaaaaaab, AllowedPattern: '(a+)+'}", "does not match"),
        (r"{Type: String, Default: aa, AllowedPattern: '(a)\1'}", "do not try"),
        ("{Type: String, Default: x, Defualt: y}", "Did you mean Default?"),
        ("{Type: 'AWS::SSM::Parameter::Value<String>', Default: /x}", "Systems Manager"),
        ("{Type: 'AWS::EC2::VPC::Id', Default: vpc-1}", "real account"),
    ],
)
def test_a_wrong_parameter_is_told(body: str, words: str) -> None:
    text = f"Parameters:\n  P: {body}\nResources:\n  Failed: {{Type: AWS::SQS::Queue}}\n"
    assert words in told(text)
    assert problems(text)[0].line == 2


def test_a_value_for_a_parameter_that_is_not_there_is_told() -> None:
    text = HEAD + RESOURCES
    assert "Did you mean Stage?" in told(text, parameters={"stage": "x"})


# -- conditions ------------------------------------------------------------------------------


def conditions(body: str) -> dict[str, bool | Unknown]:
    text = HEAD + indent(dedent(body), "  ") + RESOURCES
    return template.resolve(text).conditions


def test_conditions_combine_in_any_order() -> None:
    found = conditions(
        """\
        Both: !And [!Condition IsDev, !Condition Late]
        Late: !Or [!Equals [a, b], !Equals [!Ref Delay, 7]]
        Found: !Equals [!FindInMap [Sizes, us-east-1, delay], "9"]
        """
    )
    assert found == {"IsDev": True, "IsProd": False, "Both": True, "Late": True, "Found": True}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("C: !And [!Condition IsDev]\n", "two to ten"),
        ("C: !Equals [a]\n", "Fn::Equals takes"),
        ("C: yes\n", "A condition must be"),
        ("C: !Condition Nobody\n", "no condition"),
        ("C: !Equals [!Ref Failed, a]\n", "before any resource exists"),
        ("C: !Not [!Condition D]\nD: !Not [!Condition C]\n", "C → D → C"),
    ],
)
def test_a_wrong_condition_is_told(body: str, words: str) -> None:
    text = HEAD + indent(body, "  ") + RESOURCES
    assert words in told(text)


def test_a_resource_whose_condition_is_false_is_not_in_the_stack() -> None:
    stack = template.resolve(HEAD + RESOURCES)
    assert list(stack.resources) == ["Orders", "Failed"]
    assert template.resolve(HEAD + RESOURCES, parameters={"Stage": "prod"}).get("Sometimes")


# -- order -----------------------------------------------------------------------------------


def test_each_resource_comes_after_what_it_refers_to() -> None:
    text = """\
Resources:
  First:
    Type: AWS::SQS::Queue
    DependsOn: Third
  Second:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${First.QueueName}-2"
  Third:
    Type: AWS::SQS::Queue
"""
    stack = template.resolve(text)
    assert stack.creation_order == ("Third", "First", "Second")
    assert list(stack.resources) == ["First", "Second", "Third"]
    first, second = stack.resources["First"], stack.resources["Second"]
    assert second.properties["QueueName"] == first.attributes["QueueName"] + "-2"
    assert first.depends_on == ("Third",)


def test_a_circle_of_references_is_told_as_a_chain() -> None:
    text = """\
Resources:
  A:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "x${B.QueueName}"}
  B:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !GetAtt C.QueueName}
  C:
    Type: AWS::SQS::Queue
    DependsOn: [A]
"""
    assert "A → B → C → A" in told(text)
    assert "A → A" in told(
        "Resources:\n  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref A}}"
    )


def test_a_chain_of_five_hundred_resources_needs_no_deep_recursion() -> None:
    lines = ["Resources:"]
    for i in range(499):
        lines.append(f"  Q{i}: {{Type: AWS::SQS::Queue, DependsOn: Q{i + 1}}}")
    lines.append("  Q499: {Type: AWS::SQS::Queue}")
    assert template.resolve("\n".join(lines)).creation_order[0] == "Q499"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("DependsOn: Nobody", "no resource of this template"),
        ("DependsOn: !Ref Orders", "plain text"),
        ("DependsOn: Failed", "the resource itself"),
        ("DeletionPolicy: Keep", "Delete, Retain or RetainExceptOnCreate"),
        ("DeletionPolicy: Snapshot", "volumes and databases"),
        ("UpdateReplacePolicy: RetainExceptOnCreate", "Delete or Retain"),
        ("DependOn: Orders", "Did you mean DependsOn?"),
        ("DelaySeconds: 5", "Write it below Properties"),
        ("UpdatePolicy: {}", "UpdatePolicy"),
        ("CreationPolicy: {}", "CreationPolicy"),
        ("Condition: Nobody", "no condition"),
        ("Properties: [a]", "Properties must be a mapping"),
    ],
)
def test_a_resource_s_own_attributes_are_checked(line: str, words: str) -> None:
    text = HEAD + RESOURCES.replace("  Sometimes:", f"    {line}\n  Sometimes:")
    assert words in told(text)


# -- outputs ---------------------------------------------------------------------------------


def test_outputs_are_resolved_and_exports_recorded() -> None:
    text = (
        HEAD
        + RESOURCES
        + """\
Outputs:
  Url:
    Description: Where the notes go.
    Value: !Ref Failed
    Export: {Name: !Sub "${AWS::StackName}-failed"}
  Never:
    Condition: IsProd
    Value: !Ref Sometimes
"""
    )
    stack = template.resolve(text)
    assert stack.outputs == {"Url": stack.resources["Failed"].physical_id}
    assert stack.exports == {"labs-failed": stack.outputs["Url"]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{Valeu: x}", "Did you mean Value?"),
        ("{Value: x, Export: y}", "with a Name"),
        ("{Value: {a: b}}", "an object"),
    ],
)
def test_a_wrong_output_is_told(body: str, words: str) -> None:
    text = HEAD + RESOURCES + f"Outputs:\n  Out: {body}\n"
    assert any(words in one.sentence for one in problems(text))


# -- strangers' templates --------------------------------------------------------------------

STRANGER = """\
Parameters:
  Vpc: {Type: "AWS::EC2::VPC::Id"}
  Name: {Type: String}
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: x}
  Failed:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Ref Name
      VisibilityTimeout: !ImportValue shared
      Novelty: 5
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !GetAtt Bus.Arn}
"""


def test_the_lenient_reader_marks_what_cannot_be_known_with_its_reason() -> None:
    stack: Stack = template.read(STRANGER)
    failed = stack.resources["Failed"].properties
    for name in ("QueueName", "VisibilityTimeout"):
        assert isinstance(failed[name], Unknown), name
    assert "ImportValue" in failed["VisibilityTimeout"].reason
    assert template.shown(failed["QueueName"]) == "${Name}"
    assert failed["Novelty"] == 5  # a mistake stays as it stands, and is told
    assert template.shown(stack.resources["Topic"].properties["DisplayName"]) == "${Bus.Arn}"
    assert stack.resources["Bus"].properties == {"Name": "x"}
    assert [one.line for one in stack.unplayed] == [2, 3, 12]
    assert [one.line for one in stack.problems] == [13]


def test_a_part_that_is_known_stays_known_beside_a_mark() -> None:
    text = STRANGER.replace("!Ref Name", '!Sub "${Name}-orders"')
    failed = template.read(text).resources["Failed"]
    assert template.shown(failed.properties["QueueName"]) == "${Name}-orders"
    assert template.shown(failed.attributes["Arn"]).endswith(":${Name}-orders")
    assert "no Default" in failed.properties["QueueName"].reason


def test_equal_marks_are_equal_values() -> None:
    text = """\
Parameters: {Env: {Type: String}}
Conditions:
  Same: !Equals [!Sub "${Env}-a", !Sub "${Env}-a"]
  Open: !Equals [!Ref Env, prod]
Resources:
  Q:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !If [Same, q, r]
      DelaySeconds: !If [Open, 5, 5]
      VisibilityTimeout: !If [Open, 5, 6]
"""
    found = template.read(text).resources["Q"].properties
    assert (found["QueueName"], found["DelaySeconds"]) == ("q", 5)
    assert not template.known(found["VisibilityTimeout"])


def test_strict_keeps_what_aws_takes_and_says_which_resource_cannot_be_played() -> None:
    stack = template.resolve(STRANGER.replace("      Novelty: 5\n", ""))
    assert {name for name, one in stack.resources.items() if one.unplayed} == {"Failed"}
    assert all(one.kind == "unplayed" for one in stack.unplayed)
    assert "no Default" in str(stack.resources["Failed"].unplayed[0])


def test_a_property_that_aws_does_not_know_is_refused_as_aws_refuses_it() -> None:
    with pytest.raises(TemplateProblems) as caught:
        template.resolve(STRANGER)
    invalid = [one for one in caught.value.problems if one.kind == "invalid"]
    assert ["Novelty" in one.sentence for one in invalid] == [True]


def test_the_lenient_reader_still_tells_a_mistake() -> None:
    text = STRANGER.replace("Novelty: 5", "DelaySeconds: 901")
    assert "901" in template.read(text).problems[0].sentence
    assert template.read(text).resources["Failed"].properties["DelaySeconds"] == 901
