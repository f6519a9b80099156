"""The cost of an idle stack per month.

US dollars for 30 days, at the list prices of {PRICES.region} in `bench/prices.toml`, without the free tier:
check them before you quote them. We count every resource of the
program that costs money whether it is used or not. The other resources cost nothing until they are called or
hold something: point-in-time recovery and storage are paid by the GB. We assume that Lambda polls an empty
queue over {POLLERS} connections, {POLLS_A_MINUTE} times a minute each. The reconciler is invoked every
{EVERY_MINUTES} minutes, and we assume that it takes a second of 1 GB and {CALLS} calls to S3. The sealer is
invoked every minute; we assume that it takes {SEALER_SECONDS} seconds of 1 GB, a call to S3 and
{SEALER_UNITS} read units. Custom metrics are paid for only in hours in which they are published. An idle
stack has those of the reconciler, two in every hour and two after each round, and one of the sealer. The last
column is what the processor's and the sealer's add if all of them are published in every hour of the month. A
KMS key that encrypts costs as much again after its first yearly rotation, and once more after its second.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.contestants import Bench
from bench.prices import MILLION, PRICES
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import Scale
from components.settings import StackSettings
from functions.contract.metric_names import BYTES, OUTCOMES, REASONS, SEALED, SECONDS
from functions.contract.reconciliation import EVERY_MINUTES
from functions.contract.sealing import EVERY_MINUTES as SEALED_EVERY_MINUTES
from tests.components.mocks import Registered, run, stack_config
from tests.components.programs import main_program

PRICED = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": "alarm_metric",
    "aws:cloudwatch/dashboard:Dashboard": "dashboard",
    "aws:kms/key:Key": "kms_key",
}
"""What is paid for by the month, used or not, and its price. Each alarm of the program watches one metric."""

RECONCILER = "bill-e:reconciler:Reconciler"
CALLS = 6
"""One for the progress, four for the bucket's configuration, and one more as a round begins and ends."""
LOG = "bill-e:log:TransparencyLog"
SEALER_SECONDS, SEALER_UNITS = 0.15, 3
"""One unit for the lock, and half of one for each of four shards."""
PIPELINE = "bill-e:ingest:IngestPipeline"
QUEUE_READER = "aws:lambda/eventSourceMapping:EventSourceMapping"
FREE = {
    "apigatewayv2": "api authorizer integration route stage",
    "cloudwatch": "eventRule eventTarget logGroup",
    "dynamodb": "table",
    "iam": "role rolePolicy",
    "kms": "alias",
    "lambda": "function layerVersion permission",
    "s3": "bucket bucketCorsConfiguration bucketLifecycleConfiguration bucketLogging bucketNotification"
    " bucketObjectLockConfiguration bucketOwnershipControls bucketPolicy bucketPublicAccessBlock"
    " bucketServerSideEncryptionConfiguration bucketVersioning",
    "sns": "topic topicPolicy topicSubscription",
    "sqs": "queue queuePolicy redriveAllowPolicy",
}
"""What costs nothing until it is called, or until something is stored in it, backups included."""

CUSTOM_METRICS = len({*OUTCOMES.values(), *REASONS.values(), BYTES, SECONDS, SEALED})
POLLERS, POLLS_A_MINUTE, MINUTES_A_MONTH = 5, 3, 30 * 24 * 60
"""Lambda begins with five connections ("Using Lambda with Amazon SQS"); a long poll waits for 20 seconds."""

AIM_DOLLARS = 2.00

DEFAULTS, ESSENTIAL, CUSTOMER_KEY = "the defaults", "`alarms: essential`", "`encryption: customer-key`"


@dataclass(frozen=True, kw_only=True)
class Idle:
    """What a stack has that is paid for by the month, by its price, and how many metrics it can publish.

    What of it the transparency log has is in ``log``.
    """

    things: Mapping[str, int]
    polls: int
    reconciliations: int
    sealings: int
    idle_metrics: float
    custom_metrics: int
    unknown: Sequence[str]
    log: Idle | None = None

    def dollars(self) -> float:
        """Return what a month costs in which nobody uses the stack."""
        monthly = sum(number * PRICES.per_month[thing] for thing, number in self.things.items())
        prices = PRICES.per_million
        reconciliation = PRICES.gigabyte_second + (
            (prices["lambda_request"] + prices["xray_trace"] + CALLS * prices["s3_get"]) / MILLION
        )
        sealing = (
            SEALER_SECONDS * PRICES.gigabyte_second
            + (
                prices["lambda_request"]
                + prices["xray_trace"]
                + prices["s3_get"]
                + SEALER_UNITS * prices["dynamodb_read_unit"]
            )
            / MILLION
        )
        return (
            monthly
            + self.sealings * sealing
            + self.polls / MILLION * prices["sqs_request"]
            + self.reconciliations * reconciliation
            + self.idle_metrics * PRICES.per_month["custom_metric"]
        )

    def metrics_dollars(self) -> float:
        """Return what the metrics add in a month with receipts of every outcome and reason in each hour."""
        return self.custom_metrics * PRICES.per_month["custom_metric"]


def measure(_bench: Bench, _scale: Scale) -> Findings:
    """Register the program with settings of each kind, and price what it registers."""
    stacks = idle_stacks()
    yield FigureTable(
        {
            name: {
                "alarms": idle.things["alarm_metric"],
                "dashboards": idle.things["dashboard"],
                "KMS keys": idle.things["kms_key"],
                "idle": f"{idle.dollars():.2f}",
                "of which the log": f"{idle.log.dollars():.2f}" if idle.log else "",
                "metrics add": f"{idle.metrics_dollars():.2f}",
            }
            for name, idle in stacks.items()
        }
    )
    if log := stacks[DEFAULTS].log:
        yield Aim(
            "the log's part of an idle stack with the defaults", log.dollars(), AIM_DOLLARS, unit=" USD"
        )
    unknown = ", ".join(sorted({type_ for idle in stacks.values() for type_ in idle.unknown})) or "none"
    yield Count("resource types that the price list of idle stacks lacks", unknown, "none")


def idle_stacks() -> Mapping[str, Idle]:
    """Return what there is of a stack with the settings of each file, and with single settings changed."""
    configs: dict[str, Mapping[str, str]] = {
        DEFAULTS: {},
        ESSENTIAL: {"bill-e:alarms": "essential"},
        CUSTOMER_KEY: {"bill-e:encryption": "customer-key"},
        **{f"`Pulumi.{stack}.yaml`": stack_config(stack) for stack in ("dev", "prod")},
    }
    return {name: _idle(config) for name, config in configs.items()}


def _idle(config: Mapping[str, str]) -> Idle:
    with contextlib.redirect_stderr(None):  # the program's hints
        resources = run(main_program, config).resources
    every_hours = int(config.get("bill-e:reconcileEveryHours", StackSettings.reconcile_every_hours))
    logs = {each.urn for each in resources if each.type == LOG}
    for each in resources:  # a parent comes before its children
        if each.parent in logs:
            logs.add(each.urn)
    log = _idle_of([each for each in resources if each.urn in logs], every_hours)
    return replace(_idle_of(resources, every_hours), log=log)


def _idle_of(resources: Sequence[Registered], every_hours: int) -> Idle:
    types = Counter(each.type for each in resources)
    unknown = {each.type for each in resources if each.custom} - {*PRICED, QUEUE_READER}
    return Idle(
        things={thing: types[type_] for type_, thing in PRICED.items()},
        reconciliations=types[RECONCILER] * MINUTES_A_MONTH // EVERY_MINUTES,
        sealings=types[LOG] * MINUTES_A_MONTH // SEALED_EVERY_MINUTES,
        idle_metrics=types[RECONCILER] * (2 + 2 / every_hours) + types[LOG],
        polls=types[QUEUE_READER] * POLLERS * POLLS_A_MINUTE * MINUTES_A_MONTH,
        custom_metrics=types[PIPELINE] * CUSTOM_METRICS,
        unknown=sorted(type_ for type_ in unknown if not _is_free(type_)),
    )


def _is_free(type_: str) -> bool:
    """Look a type such as ``aws:sns/topic:Topic`` up."""
    service, _, name = type_.removeprefix("aws:").rpartition(":")[0].partition("/")
    return name in FREE.get(service, "").split()
