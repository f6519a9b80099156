"""BillE: a whole stack as one component, for `__main__.py` and for programs in other languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi
import pulumi_aws as aws

from components.access import caller_policy, operator_policy
from components.common import CommonArgs
from components.dashboard import Dashboard, DashboardArgs
from components.foundation import lay_foundation
from components.ingest_pipeline import IngestPipeline, IngestPipelineArgs
from components.ledger import Ledger, LedgerArgs
from components.ledger_api import LedgerApi, LedgerApiArgs
from components.settings import StackSettings


class BillE(pulumi.ComponentResource):
    """Receipts in, one ledger entry for each upload, and an API over the ledger.

    `outputs` are the stack's outputs, by the names in `OUTPUTS`. `ledger`, `ingest` and `api` are the parts.
    """

    TYPE: ClassVar[str] = "bill-e:index:BillE"
    VERSION: ClassVar[str] = "0.1.0"
    DESCRIPTION: ClassVar[str] = (
        "A bucket for receipts, the pipeline that records one outcome for each upload in a ledger, "
        "and an HTTP API over that ledger."
    )
    OUTPUTS: ClassVar[Mapping[str, tuple[type, str]]] = {
        "uploads_bucket": (str, "The bucket that receipts are uploaded to"),
        "upload_prefix": (str, "The folders of that bucket whose objects are receipts; empty for all"),
        "api_url": (str, "The API, without a slash at the end"),
        "api_auth": (str, 'How callers of the API authenticate: "iam" or "jwt"'),
        "queue_url": (str, "The queue of uploads that wait for their entry"),
        "dead_letter_queue_url": (str, "The queue of uploads that could not be processed"),
        "ledger_table": (str, "The DynamoDB table that holds the ledger"),
        "ledger_shards": (int, "The partitions of a month in the ledger's time index"),
        "dashboard": (str, "The CloudWatch dashboard"),
        "alarm_topic": (str, "The ARN of the SNS topic that alarms are sent to"),
        "log_groups": (dict, "The CloudWatch log groups, by what they log"),
        "region": (str, "The AWS region"),
        "caller_policy": (str, "The IAM policy, in JSON, of those who upload and call the API"),
        "operator_policy": (str, "The IAM policy, in JSON, of those who run the stack"),
    }

    def __init__(
        self, name: str, settings: StackSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TYPE, name, None, opts)
        # Until release 0.1, these components stood at the root of the stack.
        child = pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)])
        common = lay_foundation(name, settings, child)
        self.ledger = self._ledger(name, settings, common, child)
        self.ingest = self._ingest(name, settings, common, child)
        self.api = self._api(name, settings, common, child)
        dashboard = Dashboard(
            f"{name}-dashboard", DashboardArgs(ledger=self.ledger, ingest=self.ingest, api=self.api), child
        )
        region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region
        self.outputs: dict[str, Any] = {
            "uploads_bucket": self.ingest.bucket_name,
            "upload_prefix": settings.upload_prefix,
            "api_url": self.api.url,
            "api_auth": settings.api_auth,
            "queue_url": self.ingest.queue_url,
            "dead_letter_queue_url": self.ingest.dead_letter_queue_url,
            "ledger_table": self.ledger.table_name,
            "ledger_shards": self.ledger.shards,
            "dashboard": dashboard.name,
            "alarm_topic": common.alarms.topic_arn,
            "log_groups": self.ingest.log_groups | self.api.log_groups,
            "region": region,
            "caller_policy": caller_policy(common, self.ingest, self.api, settings.upload_prefix),
            "operator_policy": operator_policy(common, self.ledger, self.ingest),
        }
        self.register_outputs(self.outputs)

    def _ledger(
        self, name: str, settings: StackSettings, common: CommonArgs, opts: pulumi.ResourceOptions
    ) -> Ledger:
        args = LedgerArgs(common=common, shards=settings.ledger_shards, throughput=settings.throughput)
        return Ledger(f"{name}-ledger", args, opts)

    def _ingest(
        self, name: str, settings: StackSettings, common: CommonArgs, opts: pulumi.ResourceOptions
    ) -> IngestPipeline:
        args = IngestPipelineArgs(
            common=common,
            ledger=self.ledger,
            accepted_types=settings.accepted_types,
            max_receipt_megabytes=settings.max_receipt_megabytes,
            event_prefix=settings.upload_prefix,
            allowed_origins=settings.allowed_origins,
            object_lock=settings.object_lock,
            batch_size=settings.batch_size,
            batch_window_seconds=settings.batch_window_seconds,
            max_concurrency=settings.max_concurrency,
            timeout_seconds=settings.function_timeout_seconds,
        )
        return IngestPipeline(f"{name}-ingest", args, opts)

    def _api(
        self, name: str, settings: StackSettings, common: CommonArgs, opts: pulumi.ResourceOptions
    ) -> LedgerApi:
        args = LedgerApiArgs(
            common=common,
            ledger=self.ledger,
            bucket_name=self.ingest.bucket_name,
            bucket_arn=self.ingest.bucket_arn,
            auth=settings.auth,
            max_receipt_megabytes=settings.max_receipt_megabytes,
            upload_prefix=f"{settings.upload_prefix}uploads/",
            allowed_origins=settings.allowed_origins,
            throttle_rate=settings.throttle_rate,
            throttle_burst=settings.throttle_burst,
        )
        return LedgerApi(f"{name}-api", args, opts)
