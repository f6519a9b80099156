"""The runbook, docs/operations.md: every alarm has its section, and every command in it can be run."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel

from cli.main import build_parser
from tests.components.mocks import REPOSITORY, Graph
from tests.components.programs import graph_of
from tests.components.runbook import TEXT, Call, calls

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
PARTS = ("**What it means.**", "**How to look.**", "**What to do.**")

TAIL_OPTIONS = {"since", "filter-pattern", "format", "follow"}
"""`aws logs tail` is the CLI's own: no service knows it."""
GLOBAL_OPTIONS = {"query", "output", "cli-binary-format"}

NO_SETTINGS = {"eventSource", "initDurationMs", "maxMemoryUsedMB", "memorySizeMB", "requestId"}
"""Words in camel case that are fields of S3's events and of log lines."""


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def sections() -> dict[str, str]:
    """The text under each heading, by its anchor."""
    _, *parts = re.split(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    return {anchor(heading): body for heading, body in zip(parts[::2], parts[1::2], strict=True)}


def linked(graph: Graph) -> Iterator[tuple[str, str, str]]:
    for alarm in graph.of_type(ALARM):
        link = re.search(r"What to do: (\S+)#(\S+)$", alarm.inputs["alarmDescription"])
        assert link, alarm.name
        yield alarm.name, link[1], link[2]


def test_every_alarm_links_to_its_section_of_the_runbook(graph: Graph) -> None:
    links = list(linked(graph))
    assert links
    for name, page, section in links:
        assert page == "docs/operations.md"
        assert section in sections(), f"{name}: the runbook has no section {section}"


def test_every_section_that_an_alarm_links_to_says_what_it_means_how_to_look_and_what_to_do() -> None:
    for name, _, section in linked(graph_of("prod")):
        positions = [sections()[section].find(part) for part in PARTS]
        assert -1 not in positions, f"{name}: {section} lacks one of {PARTS}"
        assert positions == sorted(positions)


def test_commands_take_outputs_and_log_groups_that_a_stack_has() -> None:
    exports = graph_of("prod").exports
    outputs = set(re.findall(r"(?:\$\(|`)out (\w+)", TEXT)) | set(re.findall(r"stack output (\w+)", TEXT))
    groups = set(re.findall(r"\$\(log_group (\w+)\)", TEXT))
    assert {"queue_url", "alarm_topic"} <= outputs <= set(exports)
    assert {"processor", "api"} <= groups <= set(exports["log_groups"])


def test_settings_that_it_names_exist() -> None:
    declared = set(re.findall(r"^  (\w+):$", (REPOSITORY / "Pulumi.yaml").read_text(), re.MULTILINE))
    named = set(re.findall(r"`([a-z]+(?:[A-Z]\w*)+)`", TEXT)) - NO_SETTINGS
    assert {"maxConcurrency", "alarmEmail"} <= named <= declared


def modelled(call: Call) -> tuple[ServiceModel, str]:
    """The service that an `aws` command calls, and its operation there."""
    service, operation = call.arguments[:2]
    service = "s3" if service == "s3api" else service
    try:
        model = ServiceModel(botocore.session.get_session().get_service_data(service))
    except UnknownServiceError:
        pytest.fail(f"{call}: AWS has no service {service}")
    known = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in known, str(call)
    return model, known[operation]


@pytest.mark.parametrize("call", calls("aws"), ids=str)
def test_aws_command_is_one_that_the_service_knows(call: Call) -> None:
    options = {word.removeprefix("--") for word in call.arguments if word.startswith("--")} - GLOBAL_OPTIONS
    if call.arguments[:2] == ("logs", "tail"):
        assert options <= TAIL_OPTIONS
        return
    if call.arguments[1] == "wait":
        call = waited_for(call)
    model, operation = modelled(call)
    taken = model.operation_model(operation).input_shape
    parameters = {xform_name(name, "-") for name in taken.members} if taken else set()
    required = {xform_name(name, "-") for name in taken.required_members} if taken else set()
    given = {option.removeprefix("no-") if option not in parameters else option for option in options}
    assert required <= given <= parameters


def waited_for(call: Call) -> Call:
    """The call that an `aws … wait` command repeats."""
    service, _, name, *options = call.arguments
    waiters = botocore.session.get_session().get_waiter_model(service)
    known = {xform_name(waiter, "-"): waiter for waiter in waiters.waiter_names}
    assert name in known, str(call)
    operation = xform_name(waiters.get_waiter(known[name]).operation, "-")
    return Call(program="aws", arguments=(service, operation, *options))


@pytest.mark.parametrize("call", [call for call in calls("aws") if call.option("query")], ids=str)
def test_query_of_an_aws_command_asks_for_what_the_service_answers(call: Call) -> None:
    model, operation = modelled(call)
    asked = set(fields(jmespath.compile(call.option("query")).parsed))
    assert asked
    assert asked <= set(names(model.operation_model(operation).output_shape))


def fields(node: dict[str, Any]) -> Iterator[str]:
    """The names in a JMESPath expression."""
    if node["type"] == "field":
        yield node["value"]
    for child in node["children"]:
        yield from fields(child) if isinstance(child, dict) else ()


def names(shape: Any, within: tuple[str, ...] = ()) -> Iterator[str]:
    """The names that an answer may have in it, at any depth; a map's are the values of its keys."""
    if shape is None or shape.name in within:
        return
    within = (*within, shape.name)
    if shape.type_name == "structure":
        yield from shape.members
        for member in shape.members.values():
            yield from names(member, within)
    elif shape.type_name == "list":
        yield from names(shape.member, within)
    elif shape.type_name == "map":
        yield from shape.key.enum
        yield from names(shape.value, within)


@pytest.mark.parametrize("call", calls("bill-e"), ids=str)
def test_bill_e_command_is_one_that_the_command_line_takes(call: Call) -> None:
    with contextlib.redirect_stderr(None):
        build_parser().parse_args(call.arguments)


def test_every_command_that_changes_something_by_itself_is_in_the_list_of_tools() -> None:
    listed = set(re.findall(r"^\| `bill-e ([a-z-]+)", sections()["tools"], re.MULTILINE))
    assert listed == {"reconcile", "backfill", "dead-letters", "restore", "resubmit"}
