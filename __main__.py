"""Bill-E: receipts in, one ledger entry for each upload, and an API over the ledger."""

import pulumi
import pulumi_aws as aws

import components as bill_e

settings = bill_e.StackSettings.load()
common = bill_e.lay_foundation("bill-e", settings)
ledger_args = bill_e.LedgerArgs(common=common, shards=settings.ledger_shards, throughput=settings.throughput)
ledger = bill_e.Ledger("bill-e-ledger", ledger_args)
ingest_args = bill_e.IngestPipelineArgs(
    common=common,
    ledger=ledger,
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
ingest = bill_e.IngestPipeline("bill-e-ingest", ingest_args)
api_args = bill_e.LedgerApiArgs(
    common=common,
    ledger=ledger,
    bucket_name=ingest.bucket_name,
    bucket_arn=ingest.bucket_arn,
    auth=settings.auth,
    max_receipt_megabytes=settings.max_receipt_megabytes,
    upload_prefix=f"{settings.upload_prefix}uploads/",
    allowed_origins=settings.allowed_origins,
    throttle_rate=settings.throttle_rate,
    throttle_burst=settings.throttle_burst,
)
api = bill_e.LedgerApi("bill-e-api", api_args)
dashboard_args = bill_e.DashboardArgs(ledger=ledger, ingest=ingest, api=api)
dashboard = bill_e.Dashboard("bill-e-dashboard", dashboard_args)

pulumi.export("uploads_bucket", ingest.bucket_name)
pulumi.export("upload_prefix", settings.upload_prefix)
pulumi.export("api_url", api.url)
pulumi.export("api_auth", settings.api_auth)
pulumi.export("queue_url", ingest.queue_url)
pulumi.export("dead_letter_queue_url", ingest.dead_letter_queue_url)
pulumi.export("ledger_table", ledger.table_name)
pulumi.export("ledger_shards", ledger.shards)
pulumi.export("dashboard", dashboard.name)
pulumi.export("alarm_topic", common.alarms.topic_arn)
pulumi.export("log_groups", ingest.log_groups | api.log_groups)
pulumi.export("region", aws.get_region_output().region)
pulumi.export("caller_policy", bill_e.caller_policy(common, ingest, api, settings.upload_prefix))
pulumi.export("operator_policy", bill_e.operator_policy(common, ledger, ingest))
