"""How long what is kept: the table in docs/retention-and-erasure.md, and what the program deploys."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.components.mocks import REPOSITORY, Graph
from tests.components.programs import deployed

PAGE = (REPOSITORY / "docs" / "retention-and-erasure.md").read_text()
DAY_SECONDS = 24 * 60 * 60

LOG_DAYS, LOCK_DAYS = 90, 12
"""Other values than the defaults, as `logRetentionDays` and `objectLockDays`."""

QUEUES = {
    "messages in the queue": "bill-e-ingest-queue",
    "messages in the resend queue": "bill-e-ingest-resends",
    "dead letters": "bill-e-ingest-dead-letters",
}


def kept() -> dict[str, str]:
    """What is kept, and for how long according to the page."""
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    return dict(rows)


def days(what: str) -> int:
    """The number that the page begins with."""
    found = re.match(r"(\d+) days", kept()[what])
    assert found, what
    return int(found[1])


@pytest.fixture(scope="module")
def graph() -> Graph:
    return deployed("prod", logRetentionDays=str(LOG_DAYS), objectLockDays=str(LOCK_DAYS))


def rules(graph: Graph, bucket: str) -> dict[str, Any]:
    """What a bucket's lifecycle does, without the names of the rules."""
    found = graph.named(f"bill-e-{bucket}-lifecycle").inputs["rules"]
    return {
        name: value
        for rule in found
        for name, value in rule.items()
        if name not in {"id", "filter", "status"}
    }


def test_uploads_are_kept_for_ever_and_locked_for_as_long_as_the_setting_says(graph: Graph) -> None:
    text = kept()["object versions in the bucket, current and earlier ones"]
    assert text == "for ever, and locked against deletion for `objectLockDays` (default: 0)"
    assert rules(graph, "ingest-uploads") == {
        "abortIncompleteMultipartUpload": {
            "daysAfterInitiation": days("parts of a multipart upload that was never completed")
        }
    }
    lock = graph.named("bill-e-ingest-uploads-object-lock").inputs
    assert lock["rule"]["defaultRetention"]["days"] == LOCK_DAYS


def test_entries_are_kept_for_ever_and_backed_up(graph: Graph) -> None:
    assert kept()["entries of the ledger"] == kept()["notes that an object version is missing"] == "for ever"
    table = graph.named("bill-e-ledger-table").inputs
    assert "ttl" not in table
    # DynamoDB's own default, unless `recoveryPeriodInDays` says otherwise.
    assert table["pointInTimeRecovery"] == {"enabled": True}
    assert days("continuous backup of the ledger") == 35


def test_the_log_is_kept_for_ever_and_locked_as_uploads_are(graph: Graph) -> None:
    text = kept()["tiles, bundles and checkpoints of the log"]
    assert text == "for ever, and locked against deletion for `objectLockDays` (default: 0)"
    variables = graph.named("bill-e-log-sealer-function").inputs["environment"]["variables"]
    assert variables["LOCK_DAYS"] == str(LOCK_DAYS)
    assert rules(graph, "log")["expiration"] == {"days": days("batches of the log that are being published")}


@pytest.mark.parametrize(("what", "name"), QUEUES.items())
def test_messages_are_kept_for_days(what: str, name: str, graph: Graph) -> None:
    assert graph.named(name).inputs["messageRetentionSeconds"] == days(what) * DAY_SECONDS


def test_logs_are_kept_for_as_long_as_the_setting_says(graph: Graph) -> None:
    for group in graph.of_type("aws:cloudwatch/logGroup:LogGroup"):
        assert group.inputs["retentionInDays"] == LOG_DAYS
    access_logs = rules(graph, "ingest-access-logs")
    assert access_logs["expiration"] == {"days": LOG_DAYS}
    extra = access_logs["noncurrentVersionExpiration"]["noncurrentDays"]
    said = (
        "S3's access logs of the bucket and of the log's bucket",
        f"`logRetentionDays`, and {extra:g} day more as a non-current version",
    )
    assert said in kept().items()
    assert kept()["access log of the API"] == "`logRetentionDays`"


def test_defaults_and_settings_are_those_of_the_program() -> None:
    declared = (REPOSITORY / "Pulumi.yaml").read_text()
    for text in kept().values():
        for setting, default in re.findall(r"`(\w+)` \(default: (\d+)\)", text):
            assert re.search(rf"^  {setting}:\n(?:    .*\n)*?    default: {default}$", declared, re.MULTILINE)
    assert "(default: 365)" in kept()["logs of the functions"]
    named = set(re.findall(r"`([a-z]+(?:[A-Z]\w*)+)`", PAGE))
    assert {"protectData", "alarmEmail"} <= named <= set(re.findall(r"^  (\w+):$", declared, re.MULTILINE))
