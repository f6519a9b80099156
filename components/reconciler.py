"""Reconciler: the function that compares the bucket with the ledger by itself, with schedule and alarms."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.alarms import create_alarms, reconciler_alarms
from components.ingest_pipeline import MAX_RECEIVE_COUNT, IngestPipeline
from components.ledger import Ledger
from components.policies.documents import resolve
from components.policies.roles import reconciler_statements
from components.python_function import MemoryArgs, PythonFunction, PythonFunctionArgs, schedule
from components.stack_args import StackArgs
from components.validation import Checked, argument, between, setting
from functions.contract.environment import ReconcilerEnvironment, write_environment
from functions.contract.reconciliation import (
    EVERY_MINUTES,
    LEAST_AGE_SECONDS,
    PROGRESS_FOLDER,
    TIMEOUT_SECONDS,
    policy_digest,
)


@dataclass(frozen=True, kw_only=True)
class ReconcilerSettings(Checked):
    """The reconciler."""

    reconcile_every_hours: int = setting(
        6,
        "How many hours there are between two comparisons of the whole bucket with the ledger",
        # An upload without an entry should be found within a week.
        between(1, 7 * 24),
    )


@dataclass(frozen=True, kw_only=True)
class ReconcilerArgs(ReconcilerSettings, MemoryArgs):
    """The args of a reconciler. With its memory, it compares 15 million object versions."""

    stack: StackArgs
    ledger: Ledger
    ingest: IngestPipeline
    memory_megabytes: int = argument(between(128, 10_240), default=1024)


class Reconciler(pulumi.ComponentResource):
    """Compares the whole bucket with the ledger, again and again, and sends what is missing.

    It takes a slice at a time, and keeps its progress with the access logs of the bucket. It also checks that
    the bucket is configured as it was deployed.

    Output: `function_name`. It also has the `function`, `alarm_arns`, and `log_groups` by what they log.
    """

    def __init__(self, name: str, args: ReconcilerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:reconciler:Reconciler", name, None, opts)
        self.function = self._function(name, args)
        schedule(name, self.function, EVERY_MINUTES, "Has the reconciler take a slice", args.stack.tags, self)
        alarms = reconciler_alarms(
            args.stack.instance, self.function.service, args.reconcile_every_hours, args.stack
        )
        self.alarm_arns = [*create_alarms(name, alarms, args.stack, self), *self.function.alarm_arns]
        self.log_groups = {"reconciler": self.function.log_group_name}
        self.register_outputs({"function_name": self.function.name})

    def _function(self, name: str, args: ReconcilerArgs) -> PythonFunction:
        ingest = args.ingest
        service = f"{name}-slices"
        # By then, a message has been processed, or it is a dead letter.
        delivered_seconds = MAX_RECEIVE_COUNT * ingest.args.visibility_timeout_seconds
        return PythonFunction(
            service,
            PythonFunctionArgs(
                package="reconciler",
                shared=["contract", "reconciliation"],
                description="Compares the bucket with the ledger, and sends what is missing",
                statements=resolve(
                    reconciler_statements,
                    bucket_arn=ingest.bucket.arn,
                    table_arn=args.ledger.table.arn,
                    queue_arn=ingest.queue.arn,
                    resend_queue_arn=ingest.resends.arn,
                    dead_letter_queue_arn=ingest.dead_letters.arn,
                    progress_bucket_arn=ingest.access_logs.arn,
                    progress_folder=PROGRESS_FOLDER,
                ),
                environment=write_environment(
                    ReconcilerEnvironment,
                    service=service,
                    stack=args.stack.instance,
                    ledger_table=args.ledger.table.name,
                    location=ingest.location,
                    queue_arn=ingest.queue.arn,
                    queue_url=ingest.queue.url,
                    resend_queue_url=ingest.resends.url,
                    dead_letter_queue_url=ingest.dead_letters.url,
                    policy_digest=ingest.bucket.policy.policy.apply(policy_digest),
                    progress_bucket=ingest.access_logs.name,
                    every_hours=args.reconcile_every_hours,
                    age_seconds=max(LEAST_AGE_SECONDS, delivered_seconds),
                ),
                decrypts_via=["dynamodb", "sqs"],
                encrypts_via=["sqs"],
                stack=args.stack,
                timeout_seconds=TIMEOUT_SECONDS,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
