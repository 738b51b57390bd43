"""Templates of the Serverless Application Model → plain CloudFormation, with the lines kept.

The translation is AWS's own (the package aws-sam-translator, an optional extra named ``sam``); it
works on values without lines. Here each resource that comes out is laid beside the function or
event it came from, so that evidence still points into the file that was written.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html

Nothing is asked of AWS or of any network: nested applications, which the translator would look up,
are taken out and named.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

from grader.cloud.aws import REGION
from grader.cloud.iam import MANAGED_POLICIES
from grader.cloud.template.model import Mark, Problem
from grader.cloud.template.yaml_lines import Call, Fields, Items, Node, Scalar

FUNCTION = "AWS::Serverless::Function"
_CODE = "s3://code/archive.zip"  # any archive, where the template names no folder
# SAM takes archives in S3 only. A folder beside the template goes through it as a key of this
# bucket, which nobody can own, and comes out as the folder that it is.
_BESIDE = "beside.the.template"
_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/code:latest"
_RENAMED = {"EventSourceArn": "Stream"}


class NotTranslated(Exception):
    """SAM's translator is not installed, or refuses the template; the message is a sentence."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True)
class Expanded:
    """The translated template, what of it is out of sight, and what SAM refuses."""

    root: Fields
    hidden: tuple[Problem, ...]
    remarks: tuple[Problem, ...]


def is_sam(root: Fields) -> bool:
    """Whether the template holds resources that need SAM's transform."""
    return any(type.startswith("AWS::Serverless::") for type in _types(root).values())


def installed() -> bool:
    """Whether the translator is there."""
    return importlib.util.find_spec("samtranslator") is not None


def expand(root: Fields, path: str, *, nested: bool = False) -> Expanded:
    """Translate a template. Resources that the translator refuses are left out and named.

    ``nested`` leaves an application whose template lies beside this one in, as a nested stack.

    Raises NotTranslated when the translator is missing, or when it refuses the template as a whole
    or a function that reads a DynamoDB stream.
    """
    if not installed():
        raise NotTranslated(
            "The template needs the transform of the Serverless Application Model: "
            "pip install 'streamlabs[sam]'."
        )
    document = plain(root)
    resources = document.get("Resources")
    if not isinstance(resources, dict):
        raise NotTranslated("The template's Resources are made by a function.")
    hidden: list[Problem] = []
    remarks: list[Problem] = []
    for name, body in list(resources.items()):
        if not isinstance(body, dict) or not isinstance(body.get("Type"), str):
            _leave_out(resources, name, "is made by a function", root, path, hidden)
    _prepare(document)
    for name, type in _types(root).items():
        if type == "AWS::Serverless::Application" and not (nested and _nested(resources.get(name))):
            _leave_out(resources, name, "is another template", root, path, hidden)
    result: dict[str, Any] = {**document, "Resources": {}}
    for _ in range(len(resources) + 1):
        if not resources:
            break
        refused = _translate(document)
        if isinstance(refused, dict):
            result = refused
            break
        for name, sentence in refused or _not_needed(root, resources):
            if name not in resources or _is_consumer(root, name):
                raise NotTranslated(f"SAM refuses the template: {sentence}", _line(root, name))
            _leave_out(resources, name, f"is left out: {sentence}", root, path, remarks)
    return Expanded(_Marks(root).template(result), tuple(hidden), tuple(remarks))


def with_left_out(translated: Fields, root: Fields) -> Fields:
    """The translated template with the types alone of what SAM refused, for what refers to it."""
    made, written = translated.node("Resources"), root.node("Resources")
    if not isinstance(made, Fields) or not isinstance(written, Fields):
        return translated
    bare = {
        name: (mark, _fields(mark, {"Type": body.fields["Type"]}))
        for name, mark, body in written
        if name not in made.fields and isinstance(body, Fields) and "Type" in body.fields
    }
    mark, _ = translated.fields["Resources"]
    resources = _fields(mark, {**made.fields, **bare})
    return _fields(translated.mark, {**translated.fields, "Resources": (mark, resources)})


def _not_needed(root: Fields, resources: Mapping[str, Any]) -> list[tuple[str, str]]:
    """SAM's resources without a DynamoDB event, which the checklist can do without."""
    sentence = "SAM's translator fails on the template."
    names = [
        name
        for name, body in resources.items()
        if str(body.get("Type")).startswith("AWS::Serverless::") and not _is_consumer(root, name)
    ]
    return [(name, sentence) for name in names] or [("", sentence)]


def _types(root: Fields) -> dict[str, str]:
    resources = root.node("Resources")
    found = {}
    for name, _, body in resources if isinstance(resources, Fields) else ():
        type = body.node("Type") if isinstance(body, Fields) else None
        found[name] = type.text if isinstance(type, Scalar) else ""
    return found


def _line(root: Fields, name: str) -> int | None:
    resources = root.node("Resources")
    entry = resources.fields.get(name) if isinstance(resources, Fields) else None
    return entry[0][0] if entry else None


def _leave_out(
    resources: dict[str, Any], name: str, why: str, root: Fields, path: str, hidden: list[Problem]
) -> None:
    del resources[name]
    hidden.append(Problem(_line(root, name), None, f"{name} {why}", path))


def _is_consumer(root: Fields, name: str) -> bool:
    resources = root.node("Resources")
    body = resources.node(name) if isinstance(resources, Fields) else None
    return any(type == "DynamoDB" for type, _ in _events(body).values())


def _events(body: Node | None) -> dict[str, tuple[str, Node | None]]:
    """A function's events: name → (type, properties)."""
    events = _below(body, "Properties", "Events")
    found: dict[str, tuple[str, Node | None]] = {}
    for name, _, event in events if isinstance(events, Fields) else ():
        type = _below(event, "Type")
        found[name] = (type.text if isinstance(type, Scalar) else "", _below(event, "Properties"))
    return found


def _below(node: Node | None, *path: str) -> Node | None:
    for step in path:
        node = node.node(step) if isinstance(node, Fields) else None
    return node


def _nested(body: Any) -> bool:
    """Turn an application whose template lies beside this one into a nested stack."""
    properties = body.get("Properties") if isinstance(body, dict) else None
    place = properties.get("Location") if isinstance(properties, dict) else None
    if not isinstance(properties, dict) or not isinstance(place, str) or "://" in place:
        return False
    body["Type"] = "AWS::CloudFormation::Stack"
    properties["TemplateURL"] = properties.pop("Location")
    return True


def _prepare(document: dict[str, Any]) -> None:
    """Put archives in the place of local folders and files, which the translator refuses."""
    everywhere = document.get("Globals")
    shared = everywhere.get("Function") if isinstance(everywhere, dict) else None
    shared = shared if isinstance(shared, dict) else {}
    folder = shared.pop("CodeUri", None)
    shared.pop("ImageUri", None)
    for resource in document["Resources"].values():
        if not isinstance(resource, dict):
            continue
        properties = resource.get("Properties")
        if not isinstance(properties, dict):
            continue
        if resource.get("Type") == FUNCTION:
            image = properties.get("PackageType", shared.get("PackageType")) == "Image"
            code = properties.pop("CodeUri", folder)
            properties.pop("ImageUri", None)
            if image:
                properties["ImageUri"] = _IMAGE
            elif "InlineCode" not in properties:
                properties["CodeUri"] = _archive(code)
        elif resource.get("Type") == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = _archive(properties.get("ContentUri"))
        elif isinstance(properties.get("DefinitionUri"), str):
            properties["DefinitionUri"] = _archive(properties["DefinitionUri"])


def _archive(place: Any) -> str | dict[str, Any]:
    """Where code lies, as the translator takes it."""
    if isinstance(place, dict):
        return place
    if not isinstance(place, str) or not place:
        return _CODE
    return place if "://" in place else f"s3://{_BESIDE}/{quote(place)}"


def _unpacked(value: Any) -> Any:
    """What was translated, with the folders in it again."""
    if isinstance(value, dict):
        if value.get("S3Bucket") == _BESIDE:
            return unquote(str(value.get("S3Key")))
        return {key: _unpacked(one) for key, one in value.items()}
    return [_unpacked(one) for one in value] if isinstance(value, list) else value


def _translate(document: dict[str, Any]) -> dict[str, Any] | list[tuple[str, str]]:
    """The translated document, or what is refused: logical id (or empty) and sentence.

    An empty list says that the translator failed without a sentence.
    """
    # It warns about metrics of its own that nobody collects.
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    policies = {
        path.rpartition("/")[2]: f"arn:aws:iam::aws:policy/{path}" for path in MANAGED_POLICIES
    }
    # Stands in for a boto3 session, of which only the Region is read.
    session: Any = SimpleNamespace(region_name=REGION)
    try:
        result: dict[str, Any] = Translator(policies, Parser(), boto_session=session).translate(
            copy.deepcopy(document), {}
        )
    except InvalidDocumentException as refused:
        return [
            (str(getattr(cause, "_logical_id", "")), " ".join(str(cause.message).split()))
            for cause in refused.causes
        ]
    except Exception:
        # The translator is not ours, and meets documents here that nobody has checked before.
        return []
    unpacked: dict[str, Any] = _unpacked(result)
    return unpacked


def plain(node: Node) -> Any:
    """A node as plain JSON values, functions in their long form."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    if isinstance(node, Fields):
        return {key: plain(inner) for key, _, inner in node}
    assert isinstance(node, Call)
    if node.function == "Fn::GetAtt" and isinstance(node.argument, Scalar):
        name, _, attribute = node.argument.text.partition(".")
        return {"Fn::GetAtt": [name, attribute]}
    if node.function in ("Ref", "Condition") and isinstance(node.argument, Scalar):
        return {node.function: node.argument.text}
    return {node.function: plain(node.argument)}


class _Marks:
    """Turns the translated document back into nodes that know their lines."""

    def __init__(self, root: Fields) -> None:
        self.root = root
        self.home: dict[str, tuple[Mark, Node | None]] = {}
        resources = root.node("Resources")
        for name, mark, body in resources if isinstance(resources, Fields) else ():
            self.home[name] = (mark, body)

    def template(self, document: Mapping[str, Any]) -> Fields:
        """The whole template."""
        fields: dict[str, tuple[Mark, Node]] = {}
        for section, value in document.items():
            entry = self.root.fields.get(section)
            mark = entry[0] if entry else self.root.mark
            if section == "Resources":
                fields[section] = (mark, self._resources(value, mark))
            else:
                fields[section] = (mark, _node(value, entry[1] if entry else None, mark))
        return _fields(self.root.mark, fields)

    def _resources(self, resources: Mapping[str, Any], mark: Mark) -> Fields:
        fields: dict[str, tuple[Mark, Node]] = {}
        for name, body in resources.items():
            own = self.home.get(name)
            if own is not None:
                fields[name] = (own[0], _node(body, self._function(own[1]), own[0]))
            else:
                place, twin = self._origin(name, mark)
                fields[name] = (place, _node(body, twin, place))
        return _fields(mark, fields)

    def _function(self, body: Node | None) -> Node | None:
        """A function with what Globals adds to it."""
        if _types(self.root).get(self._name(body)) != FUNCTION or not isinstance(body, Fields):
            return body
        shared = _below(self.root, "Globals", "Function")
        own = body.node("Properties")
        if not isinstance(shared, Fields):
            return body
        merged = {**shared.fields, **(own.fields if isinstance(own, Fields) else {})}
        place = body.fields["Properties"][0] if "Properties" in body.fields else body.mark
        properties = _fields(place, merged)
        return _fields(body.mark, {**body.fields, "Properties": (place, properties)})

    def _name(self, body: Node | None) -> str:
        return next((name for name, (_, own) in self.home.items() if own is body), "")

    def _origin(self, name: str, mark: Mark) -> tuple[Mark, Node | None]:
        """Where a resource that SAM has made comes from: an event, a function's policies, …"""
        parents = [parent for parent in self.home if name.startswith(parent)]
        if not parents:
            return mark, None
        parent = max(parents, key=len)
        place, body = self.home[parent]
        rest = name[len(parent) :]
        for event, (_, properties) in _events(body).items():
            if event == rest:
                events = _below(body, "Properties", "Events")
                assert isinstance(events, Fields)
                here = events.fields[event][0]
                if not isinstance(properties, Fields):
                    return here, None
                renamed = {
                    **properties.fields,
                    **{
                        new: properties.fields[old]
                        for new, old in _RENAMED.items()
                        if old in properties.fields
                    },
                }
                return here, _fields(here, {"Properties": (here, _fields(here, renamed))})
        properties = _below(body, "Properties")
        if rest == "Role" and isinstance(properties, Fields) and "Policies" in properties.fields:
            here = properties.fields["Policies"][0]
            written: tuple[Mark, Node] = (here, Items(here, 1, 1, ()))
            twin = {"ManagedPolicyArns": written, "Policies": written}
            return place, _fields(place, {"Properties": (here, _fields(here, twin))})
        return place, None


def _node(value: Any, twin: Node | None, mark: Mark) -> Node:
    """A value as a node; ``twin`` is what was written for it, ``mark`` the place around it.

    A mapping's own mark is its first key: what is added to it stands at the place around it, and a
    property that is added to a resource at the resource.
    """
    around, mark = mark, twin.mark if twin is not None else mark
    if isinstance(value, Mapping):
        if len(value) == 1:
            ((key, argument),) = value.items()
            if key == "Ref" or str(key).startswith("Fn::"):
                inner = twin.argument if isinstance(twin, Call) and twin.function == key else None
                below = _node(argument, inner, mark)
                return Call(mark, below.size + 1, below.depth + 1, str(key), below)
        fields: dict[str, tuple[Mark, Node]] = {}
        for key, one in value.items():
            entry = twin.fields.get(str(key)) if isinstance(twin, Fields) else None
            place = entry[0] if entry else around
            outer = around if key == "Properties" else place
            fields[str(key)] = (place, _node(one, entry[1] if entry else None, outer))
        return _fields(mark, fields)
    if isinstance(value, list | tuple):
        twins = twin.items if isinstance(twin, Items) else ()
        items = tuple(
            _node(one, twins[number] if number < len(twins) else None, mark)
            for number, one in enumerate(value)
        )
        return Items(mark, 1 + sum(i.size for i in items), _deep(items), items)
    if value is None or isinstance(value, str | int | float | bool):
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        return Scalar(mark, 1, 1, value, text)
    return Scalar(mark, 1, 1, str(value), str(value))


def _fields(mark: Mark, fields: dict[str, tuple[Mark, Node]]) -> Fields:
    nodes = [node for _, node in fields.values()]
    return Fields(mark, 1 + sum(node.size for node in nodes), _deep(nodes), fields)


def _deep(nodes: Any) -> int:
    return 1 + max((node.depth for node in nodes), default=0)
