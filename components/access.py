"""What people who work on a stack may do, from the components that make it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components import policies
from components.common import CommonArgs
from components.ingest_pipeline import IngestPipeline
from components.ledger import Ledger
from components.ledger_api import LedgerApi


def caller_policy(
    common: CommonArgs, ingest: IngestPipeline, api: LedgerApi, upload_prefix: str
) -> pulumi.Output[str]:
    """Return the policy of the stack's callers in JSON, as `policies.caller_policy` has it."""
    scope = pulumi.Output.all(
        bucket_arn=ingest.bucket_arn,
        api_execution_arn=api.execution_arn,
        upload_prefix=upload_prefix,
        key_arn=common.key_arn,
        dns_suffix=_dns_suffix(api),
    )
    return pulumi.Output.json_dumps(scope.apply(lambda known: policies.caller_policy(**known)))


def operator_policy(common: CommonArgs, ledger: Ledger, ingest: IngestPipeline) -> pulumi.Output[str]:
    """Return the policy of the stack's operators in JSON, as `policies.operator_policy` has it."""
    scope = pulumi.Output.all(
        bucket_arn=ingest.bucket_arn,
        table_arn=ledger.table_arn,
        index_arn=ledger.index_arn,
        queue_arn=ingest.queue_arn,
        dead_letter_queue_arn=ingest.dead_letter_queue_arn,
        key_arn=common.key_arn,
        former_key_arns=common.former_key_arns,
        dns_suffix=_dns_suffix(ingest),
    )
    return pulumi.Output.json_dumps(scope.apply(lambda known: policies.operator_policy(**known)))


def _dns_suffix(component: pulumi.Resource) -> pulumi.Output[str]:
    """Ask the provider of a component for the DNS suffix of its partition."""
    return aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=component)).dns_suffix
