"""The runbook's queries of logs and of JSON: each finds the lines that it is meant to find, and no others."""

from __future__ import annotations

import json
import shutil

import jmespath  # type: ignore[import-untyped]
import pytest

from tests.components.filter_patterns import matches
from tests.components.runbook import block_with, calls, run
from tests.components.sample_lines import samples

EXPECTED: dict[tuple[str, str], set[str]] = {
    ("processor", '{ $.level = "WARNING" || $.level = "ERROR" }'): {
        *("unreadable message", "message out of time", "message with a surprise"),
        "error that was raised",
    },
    ("processor", '{ $.message = "message failed and will come back" }'): {
        *("unreadable message", "message out of time", "message with a surprise"),
    },
    ("processor", '{ $.level = "ERROR" }'): {"message with a surprise", "error that was raised"},
    ("processor", '{ $.type = "platform.report" && $.record.status != "success" }'): {
        *("report of a time-out", "report of too little memory"),
    },
    ("processor", "{ $.duration_ms > 5000 }"): {"slow receipt"},
    ("processor", '{ $.reason = "OutOfTimeError*" }'): {"message out of time"},
    ("processor", '{ $.fingerprint = "FINGERPRINT" }'): {"receipt"},
    ("api", '{ $.status = "5*" }'): {"error of the function", "function not available"},
    ("reader", '{ $.level = "ERROR" }'): {
        *("failed request", "another failed request", "error that was raised"),
    },
    ("reader", '{ $.api_request_id = "JKJaXmPLvHcESHA=" }'): {"failed request"},
    (
        "reader",
        '{ $.requestId = "9a5b3c1e-0000-4000-8000-000000000000" ||'
        ' $.record.requestId = "9a5b3c1e-0000-4000-8000-000000000000" }',
    ): {"failed request", "start", "report"},
    ("reader", '{ $.type = "platform.report" && $.record.metrics.initDurationMs > 0 }'): {
        "report of a cold start",
    },
    ("reconciler", '{ $.message = "round complete" || $.level = "ERROR" }'): {
        *("round", "missing upload", "unbacked receipt", "change", "error that was raised"),
    },
    ("sealer", '{ $.level = "WARNING" || $.level = "ERROR" }'): {
        *("late entries", "item that can't be sealed", "error that was raised"),
    },
    ("sealer", '{ $.message = "an item of the ledger cannot be sealed" }'): {"item that can't be sealed"},
    ("reconciler", '{ $.message = "a receipt has no object version" }'): {"unbacked receipt"},
    ("reconciler", '{ $.level = "ERROR" }'): {
        *("missing upload", "unbacked receipt", "change", "error that was raised"),
    },
}
"""Log group and pattern, and the samples that it has to find."""


def filtered() -> list[tuple[str, str]]:
    """Log group and pattern of each query in the runbook."""
    found = []
    for call in calls("aws"):
        pattern = call.option("filter-pattern")
        if pattern:
            group = call.option("log-group-name") or call.arguments[2]
            found.append((group.removeprefix("group:"), pattern))
    return found


def test_every_query_has_lines_that_it_is_for() -> None:
    assert set(filtered()) == set(EXPECTED)
    assert all(EXPECTED.values())


@pytest.mark.parametrize(("group", "pattern"), filtered())
def test_query_finds_the_lines_that_it_is_for_and_no_others(group: str, pattern: str) -> None:
    found = {name for name, line in samples(group).items() if matches(pattern, line)}

    assert found == EXPECTED[group, pattern]


needs_jq = pytest.mark.skipif(
    shutil.which("jq") is None, reason="jq isn't installed, which the runbook needs"
)


@needs_jq
def test_log_group_is_taken_from_the_outputs() -> None:
    first = block_with("log_group()")
    groups = json.dumps({"processor": "processor-logs-1a2b3c4", "api": "api-access-1a2b3c4"})

    ran = run(f"{first}\nlog_group api", pulumi_says=groups)

    assert ran.out.strip() == "api-access-1a2b3c4"


@needs_jq
def test_slow_requests_are_found_in_the_access_log() -> None:
    block = block_with("response_latency")
    lines = samples("api").values()
    script = f"log_group() {{ echo group; }}\n{block}"
    (asked,) = (call for call in run(script, aws_says="[]").calls if call.option("query"))
    answer = {"events": [{"message": line, "timestamp": 1} for line in lines]}

    printed = run(script, aws_says=json.dumps(jmespath.search(asked.option("query"), answer))).out

    rows = [row.split("\t") for row in printed.splitlines() if "\t" in row]
    assert rows == [
        ["26/Nov/2026:09:00:00 +0000", "GET /receipts", "200", "3001", "2999"],
        ["26/Nov/2026:09:00:00 +0000", "GET /receipts", "503", "29000", "28998"],
    ]


@needs_jq
def test_what_aws_has_and_pulumi_does_not_know_is_found() -> None:
    resources = [
        {"type": "pulumi:pulumi:Stack"},
        {"type": "aws:sqs/queue:Queue", "outputs": {"arn": "arn:queue"}},
        {"type": "aws:kms/alias:Alias", "outputs": {"name": "alias/x"}},
    ]
    state = json.dumps({"version": 3, "deployment": {"resources": resources}})
    block = block_with("get-resources")
    (asked,) = (call for call in run(block, aws_says="[]", pulumi_says=state).calls if call.option("query"))
    answer = {"ResourceTagMappingList": [{"ResourceARN": arn} for arn in ("arn:topic", "arn:queue")]}

    ran = run(block, aws_says=json.dumps(jmespath.search(asked.option("query"), answer)), pulumi_says=state)

    assert ran.out.split() == ["arn:topic"]


def test_every_use_of_jq_is_tried() -> None:
    """`log_group` aside, in whose place `calls` has another function."""
    tried = ("response_latency", ".deployment.resources[].outputs.arn", ".[]")
    for call in calls("jq"):
        assert any(part in argument for part in tried for argument in call.arguments), str(call)
