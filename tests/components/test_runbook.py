"""The runbook, docs/operations.md: every alarm has its section, and every command in it can be run."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel

from cli.main import build_parser
from tests.components.mocks import REPOSITORY, Graph
from tests.components.programs import graph_of

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TEXT = (REPOSITORY / "docs" / "operations.md").read_text()
PARTS = ("**What it means.**", "**How to look.**", "**What to do.**")

TAIL_OPTIONS = {"since", "filter-pattern", "format", "follow"}
"""`aws logs tail` is the CLI's own: no service knows it."""
GLOBAL_OPTIONS = {"query", "output"}

NO_SETTINGS = {"eventSource", "maxMemoryUsedMB", "memorySizeMB", "requestId"}
"""Words in camel case that are fields of S3's events and of log lines."""


def code_blocks() -> str:
    return "\n".join(re.findall(r"^ *```\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL))


def commands(program: str) -> list[str]:
    """The command lines of a program in the runbook's code blocks, without what a shell does around them."""
    joined = re.sub(r"\s+#.*$", "", code_blocks(), flags=re.MULTILINE)
    found = [
        line[match.start(1) :].removesuffix(")").removesuffix(" |")
        for line in joined.splitlines()
        if (match := re.search(rf"(?:^ *|\$\()({program} .*)", line))
    ]
    assert found, f"no command of {program} found"
    return found


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


def test_links_within_the_page_lead_somewhere() -> None:
    targets = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert targets
    assert targets <= set(sections())


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


@pytest.mark.parametrize("command", commands("aws"))
def test_aws_command_is_one_that_the_service_knows(command: str) -> None:
    service, operation, *words = shlex.split(command.replace("$(", "").replace(")", ""))[1:]
    service = {"s3api": "s3"}.get(service, service)
    options = {word.removeprefix("--") for word in words if word.startswith("--")} - GLOBAL_OPTIONS
    if (service, operation) == ("logs", "tail"):
        assert options <= TAIL_OPTIONS
        return
    session = botocore.session.get_session()
    try:
        model = ServiceModel(session.get_service_data(service))
    except UnknownServiceError:
        pytest.fail(f"{command}: AWS has no service {service}")
    known = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in known, command
    taken = model.operation_model(known[operation]).input_shape
    parameters = {xform_name(name, "-") for name in taken.members} if taken else set()
    assert {
        option.removeprefix("no-") if option not in parameters else option for option in options
    } <= parameters


@pytest.mark.parametrize("command", [line for line in commands("aws") if "--query" in line])
def test_query_of_an_aws_command_can_be_read(command: str) -> None:
    query = re.search(r"--query (?:\"(.+?)\"(?: |$)|'(.+?)'(?: |$)|(\S+))", command)
    assert query
    jmespath.compile(next(text for text in query.groups() if text))


@pytest.mark.parametrize("command", commands("bill-e"))
def test_bill_e_command_is_one_that_the_command_line_takes(command: str) -> None:
    with contextlib.redirect_stderr(None):
        build_parser().parse_args(shlex.split(command)[1:])
