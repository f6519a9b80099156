"""The contestants on one embedded AWS: Bill-E as its program deploys it, and baselines beside its processor.

A baseline is a function with its own table, on Bill-E's bucket, queue and role. The emulator runs
functions with the packages of this environment. Every function reaches AWS through a proxy that delays all
calls alike.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.contestants import BILL_E, NAIVE_BATCH, NAIVE_ONE, POWERTOOLS, Contestant
from bench.scale import CALL_SECONDS
from components.ingest_pipeline import IngestPipelineArgs
from local.aws import Aws
from local.embedded_stack import EmbeddedStack, running_stack

WINDOW_SECONDS = IngestPipelineArgs.batch_window_seconds
"""How long the queue gathers a batch, except for batches of 1."""

BASELINES = Path(__file__).parent.parent / "baselines"


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A contestant's function and table, and the attribute that says when an item was recorded."""

    name: str
    log_group: str
    mapping: str
    table: str
    time_attribute: str


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """The network of the functions, which is a separate process."""

    stdin: IO[str]
    stdout: IO[str]

    def told(self) -> Any:
        """Read what it says next."""
        return json.loads(self.stdout.readline())

    def calls(self) -> Counter[str]:
        """Return the calls that functions have made so far, by operation."""
        self.stdin.write("\n")
        self.stdin.flush()
        return Counter(self.told())


@dataclass(frozen=True, kw_only=True)
class Field:
    """A stack on an embedded AWS, with the contestants on it."""

    stack: EmbeddedStack
    contestants: Mapping[str, Deployed]
    proxy: Proxy

    def only(self, contestant: Deployed, *, functions: int) -> None:
        """Give the queue to a contestant, with so many functions at the same time."""
        client = self.stack.administrator.client("lambda")
        for each in self.contestants.values():
            client.update_event_source_mapping(
                UUID=each.mapping,
                Enabled=each is contestant,
                ScalingConfig={"MaximumConcurrency": functions},
            )

    def set_window(self, contestant: Deployed, seconds: int) -> None:
        """Let the queue gather batches for a contestant for so long."""
        client = self.stack.administrator.client("lambda")
        client.update_event_source_mapping(UUID=contestant.mapping, MaximumBatchingWindowInSeconds=seconds)


@contextlib.contextmanager
def running_field() -> Iterator[Field]:
    """Start an embedded AWS, deploy everybody, and stop everything at the end."""
    with (
        running_stack(config={"bill-e:batchWindowSeconds": WINDOW_SECONDS}) as stack,
        _running_proxy(stack) as proxy,
    ):
        functions = stack.administrator.client("lambda")
        (mapping,) = functions.list_event_source_mappings(EventSourceArn=_queue_arn(stack))[
            "EventSourceMappings"
        ]
        processor: Any = functions.get_function_configuration(FunctionName=mapping["FunctionArn"])
        processor["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{proxy.told()}"
        functions.update_function_configuration(
            FunctionName=processor["FunctionName"], Environment=processor["Environment"]
        )
        bill_e = Deployed(
            name=BILL_E.name,
            log_group=processor["LoggingConfig"]["LogGroup"],
            mapping=mapping["UUID"],
            table=stack.outputs["ledger_table"],
            time_attribute="recorded",
        )
        _allow_everything(stack.administrator, processor["Role"].rpartition("/")[2])
        baselines = (NAIVE_ONE, NAIVE_BATCH, POWERTOOLS)
        contestants = [bill_e, *(_deploy(stack, each, processor) for each in baselines)]
        yield Field(stack=stack, contestants={each.name: each for each in contestants}, proxy=proxy)


@contextlib.contextmanager
def _running_proxy(stack: EmbeddedStack) -> Iterator[Proxy]:
    upstream = (str(stack.emulator.port), str(stack.administrator.ca_bundle), str(CALL_SECONDS))
    command = [sys.executable, "-m", "bench.embedded.proxy", *upstream]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101 (a pipe, as asked)
        assert process.stdout is not None  # noqa: S101 (a pipe, as asked)
        yield Proxy(stdin=process.stdin, stdout=process.stdout)


def _queue_arn(stack: EmbeddedStack) -> str:
    """Return the ARN of the queue that S3 sends to."""
    queue = stack.administrator.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs["queue_url"], AttributeNames=["QueueArn"]
    )
    return queue["Attributes"]["QueueArn"]


def _allow_everything(aws: Aws, role: str) -> None:
    """Let a role do all that baselines do: its policy isn't what is measured."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("iam").put_role_policy(RoleName=role, PolicyName="bench", PolicyDocument=document)


def _deploy(stack: EmbeddedStack, baseline: Contestant, processor: Mapping[str, Any]) -> Deployed:
    """Deploy a baseline with everything of the processor's but code, table and batch size."""
    aws, module = stack.administrator, baseline.module.rpartition(".")[2]
    name = f"bench-{module}-{baseline.batch_size}"
    table, guard, log_group = f"{name}-items", f"{name}-idempotency", f"/aws/lambda/{name}"
    for each in (table, guard):
        aws.client("dynamodb").create_table(
            TableName=each,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    aws.client("logs").create_log_group(logGroupName=log_group)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.write(BASELINES / f"{module}.py", f"{module}.py")
    variables = processor["Environment"]["Variables"]
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName=name,
        **{each: processor[each] for each in ("Runtime", "Role", "Timeout", "MemorySize")},
        Handler=f"{module}.handle",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {**variables, "NAIVE_TABLE": table, "IDEMPOTENCY_TABLE": guard}},
    )
    mapping = functions.create_event_source_mapping(
        EventSourceArn=_queue_arn(stack),
        FunctionName=name,
        Enabled=False,
        BatchSize=baseline.batch_size,
        MaximumBatchingWindowInSeconds=WINDOW_SECONDS if baseline.batch_size > 1 else 0,
        FunctionResponseTypes=["ReportBatchItemFailures"] if baseline is POWERTOOLS else [],
    )
    return Deployed(
        name=baseline.name,
        log_group=log_group,
        mapping=mapping["UUID"],
        table=table,
        time_attribute="processed_at",
    )
