"""BillE: a whole stack as one component, for `__main__.py` and programs in other languages."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.dashboard import Dashboard, DashboardArgs
from components.encryption_key import CUSTOMER_KEY, EncryptionKey
from components.ingest_pipeline import IngestPipeline, IngestPipelineArgs
from components.ledger import Ledger, LedgerArgs
from components.ledger_api import LedgerApi, LedgerApiArgs, form_signer
from components.policies import people
from components.policies.documents import Policy
from components.python_layer import PythonLayer
from components.reconciler import Reconciler, ReconcilerArgs
from components.settings import StackSettings
from components.stack_args import StackArgs
from components.transparency_log import TransparencyLog, TransparencyLogArgs

SUFFIX_DIGITS = 7
"""As many digits as in the names that Pulumi makes."""


class BillE(pulumi.ComponentResource):
    """A bucket for receipts, a ledger with one entry for each upload, and an API over the ledger.

    `outputs` are the outputs of the stack, by the names in `OUTPUTS`. The parts are `ledger`, `log`,
    `ingest`, `api` and `reconciler`.
    """

    TYPE: ClassVar[str] = "bill-e:index:BillE"
    VERSION: ClassVar[str] = "0.1.0"
    DESCRIPTION: ClassVar[str] = (
        "A bucket for receipts, a ledger with one entry for each upload, and an HTTP API over the ledger."
    )
    OUTPUTS: ClassVar[Mapping[str, tuple[type, str]]] = {
        "uploads_bucket": (str, "The bucket that receipts are uploaded to"),
        "upload_prefix": (
            str,
            "The folder whose objects are receipts; empty for the whole bucket",
        ),
        "api_url": (str, "The API, without a slash at the end"),
        "api_auth": (str, 'How callers of the API authenticate: "iam" or "jwt"'),
        "max_receipt_bytes": (int, "The size of the largest file that is accepted"),
        "accepted_types": (tuple, "The media types that are accepted"),
        "queue_url": (str, "The queue of uploads that are waiting for their entries"),
        "resend_queue_url": (str, "The queue of uploads that operators have sent again"),
        "dead_letter_queue_url": (str, "The queue of uploads that could not be processed"),
        "ledger_table": (str, "The DynamoDB table of the ledger"),
        "ledger_shards": (int, "How many partitions a month has in the ledger's time index"),
        "reconciler": (str, "The function that compares the bucket with the ledger"),
        "log_origin": (str, "The name of the log that seals the ledger"),
        "log_public_key": (str, "The key that verifies the log's checkpoints (c2sp.org/signed-note)"),
        "log_bucket": (str, "The bucket of the log"),
        "sealer": (str, "The function that seals entries in the log"),
        "dashboard": (str, "The CloudWatch dashboard"),
        "alarm_topic": (str, "The ARN of the SNS topic that alarms are sent to"),
        "log_groups": (dict, "The CloudWatch log groups, by what they log"),
        "region": (str, "The AWS region"),
        "caller_policy": (str, "The IAM policy, in JSON, for callers"),
        "auditor_policy": (str, "The IAM policy, in JSON, for auditors"),
        "operator_policy": (str, "The IAM policy, in JSON, for operators"),
    }

    def __init__(
        self, name: str, settings: StackSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TYPE, name, None, opts)
        # In release 0.1, these components were at the root of the stack.
        child = pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)])
        stack = self._stack_args(name, settings, child)
        ledger_args = LedgerArgs(stack=stack, **settings.of(LedgerArgs))
        self.ledger = Ledger(f"{name}-ledger", ledger_args, child)
        log_args = TransparencyLogArgs(
            stack=stack,
            ledger=self.ledger,
            recording_seconds=settings.function_timeout_seconds,
            **settings.of(TransparencyLogArgs),
        )
        self.log = TransparencyLog(f"{name}-log", log_args, pulumi.ResourceOptions(parent=self))
        ingest_args = IngestPipelineArgs(
            stack=stack,
            ledger=self.ledger,
            form_signer=form_signer(f"{name}-api", stack, pulumi.ResourceOptions(parent=self)),
            log_bucket=self.log.bucket,
            **settings.of(IngestPipelineArgs),
        )
        self.ingest = IngestPipeline(f"{name}-ingest", ingest_args, child)
        api_args = LedgerApiArgs(
            stack=stack,
            ledger=self.ledger,
            ingest=self.ingest,
            log_bucket=self.log.bucket.name,
            log_bucket_arn=self.log.bucket.arn,
            **settings.of(LedgerApiArgs),
        )
        self.api = LedgerApi(f"{name}-api", api_args, child)
        reconciler_args = ReconcilerArgs(
            stack=stack, ledger=self.ledger, ingest=self.ingest, **settings.of(ReconcilerArgs)
        )
        self.reconciler = Reconciler(
            f"{name}-reconciler", reconciler_args, pulumi.ResourceOptions(parent=self)
        )
        dashboard_args = DashboardArgs(
            ledger=self.ledger,
            log=self.log,
            ingest=self.ingest,
            api=self.api,
            reconciler=self.reconciler,
        )
        dashboard = Dashboard(f"{name}-dashboard", dashboard_args, child)
        invoke = pulumi.InvokeOutputOptions(parent=self)
        for_people = {
            "bucket_arn": self.ingest.bucket.arn,
            "key_arn": stack.key_arn,
            "dns_suffix": aws.get_partition_output(opts=invoke).dns_suffix,
        }
        through_the_api = {
            "api_execution_arn": self.api.execution_arn,
            "upload_prefix": settings.upload_prefix,
        }
        in_the_ledger = {"table_arn": self.ledger.table.arn, "index_arn": self.ledger.index_arn}
        queues = self.ingest.queue, self.ingest.resends, self.ingest.dead_letters
        self.outputs: dict[str, Any] = {
            "uploads_bucket": self.ingest.bucket.name,
            "upload_prefix": settings.upload_prefix,
            "api_url": self.api.url,
            "api_auth": settings.api_auth,
            "max_receipt_bytes": ingest_args.max_receipt_bytes,
            "accepted_types": list(ingest_args.accepted_types),
            "queue_url": self.ingest.queue.url,
            "resend_queue_url": self.ingest.resends.url,
            "dead_letter_queue_url": self.ingest.dead_letters.url,
            "ledger_table": self.ledger.table.name,
            "ledger_shards": self.ledger.shards,
            "dashboard": dashboard.name,
            "alarm_topic": stack.alarm_topic_arn,
            "reconciler": self.reconciler.function.name,
            "sealer": self.log.sealer.name,
            "log_origin": self.log.origin,
            "log_public_key": self.log.public_key,
            "log_bucket": self.log.bucket.name,
            "log_groups": (
                self.ingest.log_groups
                | self.api.log_groups
                | self.reconciler.log_groups
                | self.log.log_groups
            ),
            "region": aws.get_region_output(opts=invoke).region,
            "caller_policy": _policy(people.caller_policy, **for_people, **through_the_api),
            "auditor_policy": _policy(
                people.auditor_policy,
                **for_people,
                **through_the_api,
                **in_the_ledger,
                log_bucket_arn=self.log.bucket.arn,
                queue_arns=[queue.arn for queue in queues],
                log_group_arns=self.api.audit_log_arns,
            ),
            "operator_policy": _policy(
                people.operator_policy,
                **for_people,
                **in_the_ledger,
                log_bucket_arn=self.log.bucket.arn,
                queue_arn=self.ingest.queue.arn,
                resend_queue_arn=self.ingest.resends.arn,
                dead_letter_queue_arn=self.ingest.dead_letters.arn,
                operations_log_arn=self.ingest.operations_log.arn,
                former_key_arns=stack.former_key_arns,
            ),
        }
        self.register_outputs(self.outputs)

    def _stack_args(self, name: str, settings: StackSettings, opts: pulumi.ResourceOptions) -> StackArgs:
        """Make the key, the alarm topic and the layer, and return the args that all components share."""
        tags = {"project": pulumi.get_project(), "stack": pulumi.get_stack()}
        with_key = settings.encryption == CUSTOMER_KEY
        if settings.protect_data and not settings.alarm_email:
            pulumi.log.warn(
                "nobody gets the alarms: set bill-e:alarmEmail, or subscribe to the topic in the output "
                "alarm_topic"
            )
        topic = AlarmTopic(f"{name}-alarms", settings.alarm_email, tags, opts)
        instance = topic.arn.apply(functools.partial(_instance, pulumi.get_stack()))
        return StackArgs(
            instance=instance,
            layers=[PythonLayer(f"{name}-libraries", instance, opts).arn],
            key_arn=EncryptionKey(f"{name}-encryption", tags, opts).arn if with_key else None,
            alarm_topic_arn=topic.arn,
            tags=tags,
            **settings.of(StackArgs),
        )


def _instance(stack: str, topic_arn: str) -> str:
    """Name a stack uniquely in its account and region, since two state folders can have stacks of one name.

    No other stack has this topic, and no change of a setting replaces it.
    """
    return f"{stack}-{hashlib.sha256(topic_arn.encode()).hexdigest()[:SUFFIX_DIGITS]}"


def _policy(build: Callable[..., Policy], **values: Any) -> pulumi.Output[str]:
    return pulumi.Output.json_dumps(pulumi.Output.all(**values).apply(lambda known: build(**known)))
