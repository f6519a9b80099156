"""What a stack costs that nobody uses: the resources that the program registers, times list prices."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

import yaml

from bench.packages import REPOSITORY
from bench.prices import MILLION, Prices, read_prices
from bench.results import Count, Result, Table
from bench.wording import counted
from functions.ledger.entry import Entry, ObjectVersion, Outcome, Reason, Upload, Uploader
from functions.ledger.store import Recorded
from functions.processor.metrics import ReceiptMetrics

NAME = "idle"

PRICED = {
    "aws:cloudwatch/dashboard:Dashboard": "dashboard",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "alarm_metric",
    "aws:kms/key:Key": "kms_key",
}
"""What is paid for by the month, used or not, and its price. Each alarm of the program watches one metric."""

QUEUE_READER = "aws:lambda/eventSourceMapping:EventSourceMapping"

FREE = (
    *("aws:apigatewayv2/api:Api", "aws:apigatewayv2/authorizer:Authorizer"),
    *("aws:apigatewayv2/integration:Integration", "aws:apigatewayv2/route:Route"),
    *("aws:apigatewayv2/stage:Stage", "aws:cloudwatch/logGroup:LogGroup", "aws:dynamodb/table:Table"),
    *("aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy", "aws:kms/alias:Alias"),
    *("aws:lambda/function:Function", "aws:lambda/layerVersion:LayerVersion"),
    *("aws:lambda/permission:Permission", "aws:s3/bucket:Bucket"),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    *("aws:s3/bucketLogging:BucketLogging", "aws:s3/bucketNotification:BucketNotification"),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    *("aws:s3/bucketOwnershipControls:BucketOwnershipControls", "aws:s3/bucketPolicy:BucketPolicy"),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    *("aws:s3/bucketVersioning:BucketVersioning", "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"),
    *(
        "aws:sns/topicSubscription:TopicSubscription",
        "aws:sqs/queue:Queue",
        "aws:sqs/queuePolicy:QueuePolicy",
    ),
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
)
"""What costs nothing until it is called, or until something is stored in it, backups included."""

POLLERS, POLLS_A_MINUTE, MINUTES_A_MONTH = 5, 3, 30 * 24 * 60
"""Lambda begins with five connections ("Using Lambda with Amazon SQS"); a long poll waits for 20 seconds."""

DEFAULTS, ESSENTIAL, CUSTOMER_KEY = "the defaults", "`alarms: essential`", "`encryption: customer-key`"


@dataclass(frozen=True, kw_only=True)
class Idle:
    """What a stack has that is paid for by the month, by its price, and how many metrics it can publish."""

    things: Mapping[str, int]
    polls: int
    custom_metrics: int
    unknown: Sequence[str]

    def dollars(self, prices: Prices) -> float:
        """Return what a month costs in which nobody uses the stack."""
        return self._dollars(prices, dict.fromkeys(prices.free_per_month, 0))

    def dollars_beyond_free_tier(self, prices: Prices) -> float:
        """Return the same where nothing else in the account uses up the free tier."""
        return self._dollars(prices, prices.free_per_month)

    def metrics_dollars(self, prices: Prices) -> float:
        """Return what the metrics add in a month with receipts of every outcome and reason in each hour."""
        return self.custom_metrics * prices.per_month["custom_metric"]

    def _dollars(self, prices: Prices, free: Mapping[str, int]) -> float:
        monthly = sum(
            max(0, number - free.get(thing, 0)) * prices.per_month[thing]
            for thing, number in self.things.items()
        )
        polls = max(0, self.polls - free["sqs_request"])
        return monthly + polls / MILLION * prices.per_million["sqs_request"]


def measure() -> Result:
    """Register the program with settings of each kind, and price what it registers."""
    prices, stacks = read_prices(), idle_stacks()
    free = prices.free_per_month
    unknown = {type_ for idle in stacks.values() for type_ in idle.unknown}
    return Result(
        name=NAME,
        title="What an idle stack costs a month",
        method=(
            f"US dollars for 30 days, at the list prices of {prices.region} in `bench/prices.toml`: check "
            "them before quoting. The program is registered with Pulumi's mocks, and what is paid for "
            "whether or not it is used is counted. Everything else that the program registers costs nothing "
            "until it is called or holds something: point-in-time recovery and storage are per GB. Lambda is "
            "assumed to "
            f"poll an empty queue over {POLLERS} connections, {POLLS_A_MINUTE} times a minute each. Custom "
            "metrics are charged only for the hours in which they are published, so an idle stack has none; "
            "the last column is what they add when every one of them is published in each hour of the "
            "month. A KMS key costs as much again after its first yearly rotation, and once more after its "
            "second. The free tier is that of a whole account, used up by nothing else: "
            f"{counted(free['alarm_metric'], 'alarm')}, {counted(free['dashboard'], 'dashboard')} of up to "
            f"50 metrics, {counted(free['custom_metric'], 'custom metric')}, and "
            f"{free['sqs_request']:,} requests to SQS."
        ),
        tables=[
            Table(
                columns=[
                    "",
                    "alarms",
                    "dashboards",
                    "KMS keys",
                    "idle",
                    "beyond the free tier",
                    "metrics add",
                ],
                rows=[[name, *_cells(idle, prices)] for name, idle in stacks.items()],
            )
        ],
        counts=[
            Count(
                text="resource types that the price list of idle stacks lacks",
                actual=", ".join(sorted(unknown)) or "none",
                expected="none",
            ),
        ],
    )


def idle_stacks() -> Mapping[str, Idle]:
    """Return what there is of a stack with the settings of each file, and with single settings changed."""
    settings: dict[str, dict[str, str]] = {
        DEFAULTS: {},
        ESSENTIAL: {"bill-e:alarms": "essential"},
        CUSTOMER_KEY: {"bill-e:encryption": "customer-key"},
        **{f"`Pulumi.{stack}.yaml`": _settings_of(stack) for stack in ("dev", "prod")},
    }
    metrics = _metrics_of_a_processor()
    return {
        name: _idle(types, metrics)
        for name, types in zip(settings, _registered([*settings.values()]), strict=True)
    }


def _settings_of(stack: str) -> dict[str, str]:
    """Read the settings in a stack's file, as Pulumi hands them to a program."""
    config = yaml.safe_load((REPOSITORY / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def _registered(configs: Sequence[Mapping[str, str]]) -> list[dict[str, int]]:
    """Count what the program registers with each of these settings, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.graph_child"],
        cwd=REPOSITORY,
        input=json.dumps([{"stack": "idle", "config": config} for config in configs]),
        capture_output=True,
        text=True,
        check=True,
    )
    types: list[dict[str, int]] = json.loads(ran.stdout)
    return types


def _idle(types: Mapping[str, int], metrics: int) -> Idle:
    readers = types.get(QUEUE_READER, 0)
    return Idle(
        things={thing: types.get(type_, 0) for type_, thing in PRICED.items()},
        polls=readers * POLLERS * POLLS_A_MINUTE * MINUTES_A_MONTH,
        custom_metrics=readers * metrics,
        unknown=sorted(types.keys() - PRICED.keys() - {QUEUE_READER, *FREE}),
    )


def _metrics_of_a_processor() -> int:
    """Count the metrics that receipts of every outcome and reason are published under."""
    now = datetime.now(UTC)
    upload = Upload(
        version=ObjectVersion(bucket="b", key="k", version_id="v"),
        uploaded_at=now,
        uploader=Uploader(principal=None, source_ip=None),
    )
    metrics = ReceiptMetrics({"service": "processor", "stack": "idle"})
    for outcome, reason in product(Outcome, (None, *Reason)):
        entry = Entry(
            outcome=outcome,
            upload=upload,
            recorded_at=now,
            fingerprint=None,
            size_bytes=1,
            media_type=None,
            reason=reason,
        )
        metrics.add(Recorded(entry=entry, is_new=True))
    with contextlib.redirect_stdout(io.StringIO()) as lines:
        metrics.write()
    return len(
        {
            (directive["Namespace"], metric["Name"], *dimensions)
            for line in lines.getvalue().splitlines()
            for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]
            for metric in directive["Metrics"]
            for dimensions in directive["Dimensions"]
        }
    )


def _cells(idle: Idle, prices: Prices) -> list[str]:
    return [
        *(str(idle.things[thing]) for thing in ("alarm_metric", "dashboard", "kms_key")),
        f"{idle.dollars(prices):.2f}",
        f"{idle.dollars_beyond_free_tier(prices):.2f}",
        f"{idle.metrics_dollars(prices):.2f}",
    ]
