"""The contestants on one embedded AWS, each with a bucket, a queue, a function and a table of its own.

Bill-E is deployed by its own program, with the defaults of its batches. The emulator runs functions with the
packages of this environment. Every function reaches AWS through a proxy that delays all calls alike.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.scale import CALL_SECONDS
from components import IngestPipelineArgs
from local.aws import Aws
from local.environment import Environment, running_environment

CONCURRENCY = 2
"""Functions at the same time, for everybody, unless a measure sets another number. Lambda has no smaller."""

WINDOW_SECONDS = IngestPipelineArgs.batch_window_seconds
"""How long every queue gathers a batch, but those of batches of 1."""

BASELINES = Path(__file__).parent / "baselines"


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A contestant's bucket, function and table; ``time_attribute`` is when an item was recorded."""

    name: str
    bucket: str
    function: str
    log_group: str
    table: str
    time_attribute: str


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A baseline to deploy: the module, and how many messages it gets at once."""

    name: str
    module: str
    batch_size: int


BASELINE_DEPLOYMENTS = (
    Baseline(name="naive", module="naive", batch_size=1),
    Baseline(name="naive, batch 10", module="naive_batch", batch_size=10),
    Baseline(name="idempotency", module="idempotency", batch_size=10),
)


@dataclass(frozen=True, kw_only=True)
class Field:
    """An embedded AWS with the contestants on it. ``aws`` is its operator, who may do everything."""

    environment: Environment
    contestants: Mapping[str, Deployed]
    proxy_port: int

    @property
    def aws(self) -> Aws:
        """AWS as the operator sees it."""
        return self.environment.emulator.operator

    def only(self, contestant: Deployed, functions: int) -> None:
        """Let a contestant have so many functions at the same time, and the others none.

        A message that one of them failed on would come back in the middle of another's run.
        """
        client = self.aws.client("lambda")
        for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
            client.update_event_source_mapping(
                UUID=mapping["UUID"],
                Enabled=mapping["FunctionArn"].endswith(f":{contestant.function}"),
                ScalingConfig={"MaximumConcurrency": functions},
            )

    def set_window(self, contestant: Deployed, seconds: int) -> None:
        """Let a contestant's queue gather batches for so long."""
        client = self.aws.client("lambda")
        (mapping,) = client.list_event_source_mappings(FunctionName=contestant.function)[
            "EventSourceMappings"
        ]
        client.update_event_source_mapping(UUID=mapping["UUID"], MaximumBatchingWindowInSeconds=seconds)

    def calls(self) -> Counter[str]:
        """Return the calls that functions have made so far, by operation."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy_port}/counts") as answer:
            return Counter(json.loads(answer.read()))


@contextlib.contextmanager
def running_field(*, with_baselines: bool = True) -> Iterator[Field]:
    """Start an embedded AWS, deploy everybody, and stop everything at the end."""
    config = {
        "bill-e:maxConcurrency": CONCURRENCY,
        "bill-e:batchWindowSeconds": WINDOW_SECONDS,
    }
    with running_environment(config=config) as environment, _proxy(environment) as port:
        aws = environment.emulator.operator
        contestants = [_bill_e(environment, port)]
        if with_baselines:
            contestants += [_deploy(aws, baseline, port) for baseline in BASELINE_DEPLOYMENTS]
        yield Field(
            environment=environment,
            contestants={contestant.name: contestant for contestant in contestants},
            proxy_port=port,
        )


@contextlib.contextmanager
def _proxy(environment: Environment) -> Iterator[int]:
    emulator = environment.emulator
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "bench.delay_proxy"),
            *(str(emulator.port), str(emulator.operator.ca_bundle), str(CALL_SECONDS)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 (a pipe, as asked)
        yield int(process.stdout.readline())
    finally:
        process.communicate()


def _bill_e(environment: Environment, port: int) -> Deployed:
    """Find what the program deployed, and put its processor behind the proxy."""
    aws, outputs = environment.emulator.operator, environment.outputs
    functions = aws.client("lambda")
    (found,) = (
        function for function in functions.list_functions()["Functions"] if "processor" in function["Handler"]
    )
    variables = found["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=found["FunctionName"], Environment={"Variables": {**variables, **_endpoint(port)}}
    )
    return Deployed(
        name="Bill-E",
        bucket=outputs["uploads_bucket"],
        function=found["FunctionName"],
        log_group=found["LoggingConfig"]["LogGroup"],
        table=outputs["ledger_table"],
        time_attribute="recorded",
    )


def _deploy(aws: Aws, baseline: Baseline, port: int) -> Deployed:
    name = f"bench-{baseline.module.replace('_', '-')}"
    table, guard = f"{name}-items", f"{name}-idempotency"
    for each in (table, guard):
        aws.client("dynamodb").create_table(
            TableName=each,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    log_group = f"/aws/lambda/{name}"
    aws.client("logs").create_log_group(logGroupName=log_group)
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName=name,
        Runtime="python3.14",
        Handler=f"{baseline.module}.handle",
        Role=_role(aws, name),
        Code={"ZipFile": _archive(baseline.module)},
        Timeout=60,
        MemorySize=512,
        Environment={
            "Variables": {"NAIVE_TABLE": table, "IDEMPOTENCY_TABLE": guard, **_endpoint(port)},
        },
    )
    bucket = f"{name}-{aws.region}"
    queue_arn = _notifying_bucket(aws, bucket, name)
    functions.create_event_source_mapping(
        EventSourceArn=queue_arn,
        FunctionName=name,
        BatchSize=baseline.batch_size,
        MaximumBatchingWindowInSeconds=WINDOW_SECONDS if baseline.batch_size > 1 else 0,
        FunctionResponseTypes=["ReportBatchItemFailures"] if baseline.module == "idempotency" else [],
        ScalingConfig={"MaximumConcurrency": CONCURRENCY},
    )
    return Deployed(
        name=baseline.name,
        bucket=bucket,
        function=name,
        log_group=log_group,
        table=table,
        time_attribute="processed_at",
    )


def _endpoint(port: int) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


def _archive(module: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.write(BASELINES / f"{module}.py", f"{module}.py")
    return content.getvalue()


def _role(aws: Aws, name: str) -> str:
    """Make a role that may do all that a baseline does: its policy isn't what is measured."""
    iam = aws.client("iam")
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=_policy(
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        ),
    )["Role"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName=name,
        PolicyDocument=_policy(
            {"Effect": "Allow", "Action": ["s3:*", "sqs:*", "dynamodb:*", "logs:*"], "Resource": "*"}
        ),
    )
    return role["Arn"]


def _notifying_bucket(aws: Aws, bucket: str, queue: str) -> str:
    """Make a bucket that tells a new queue of every object; return the queue's ARN."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "360"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(statement)})
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    # S3 sends a test event, on which baselines fail, and the receipts with it that are in the same batch.
    sqs.purge_queue(QueueUrl=url)
    return arn


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True, kw_only=True)
class Invocations:
    """What Lambda reported: how many invocations ended, and the milliseconds that they took."""

    count: int
    milliseconds: float


def invocations_since(field: Field, contestant: Deployed, started: float) -> Invocations:
    """Add up the REPORT lines of a function's log since a time (seconds since the epoch)."""
    logs = field.aws.client("logs")
    durations: list[float] = []
    for page in logs.get_paginator("filter_log_events").paginate(
        logGroupName=contestant.log_group, startTime=int(started * 1000), filterPattern="REPORT"
    ):
        for event in page["events"]:
            match = re.match(r"REPORT .*?\bDuration: ([0-9.]+) ms", event["message"])
            if match:
                durations.append(float(match[1]))
    return Invocations(count=len(durations), milliseconds=sum(durations))


def wait_for(seconds: float, condition: Any) -> bool:
    """Wait until a condition holds, asking twice a second; say whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True
