"""IngestPipeline: bucket, queue, dead-letter queue, processor, and what connects them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import policies
from components.alarms import create_alarms, queue_alarms
from components.checks import Problem, between, matches, not_empty, one_of, origin, refuse, unique
from components.common import CommonArgs, protected
from components.ledger import Ledger
from components.private_bucket import ObjectLock, PrivateBucket, PrivateBucketArgs
from components.python_function import (
    MAX_MEMORY_MEGABYTES,
    MAX_TIMEOUT_SECONDS,
    MIN_MEMORY_MEGABYTES,
    PythonFunction,
    PythonFunctionArgs,
)
from functions.contract import deadlines, environment, media_types

MAX_BATCH_SIZE, MAX_BATCH_WINDOW_SECONDS = 10_000, 300
MAX_BATCH_SIZE_WITHOUT_WINDOW = 10
"""AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping"."""

MIN_CONCURRENCY, MAX_CONCURRENCY = 2, 1_000
"""AWS Lambda API Reference, `ScalingConfig.MaximumConcurrency`."""

MAX_RECEIPT_MEGABYTES = 5 * 1024
"""The largest object that one S3 PUT or POST can upload."""

READ_MEGABYTES_PER_SECOND = 10
"""How fast a receipt is read at the very least: a small part of what S3 gives, since a batch shares it."""

MIN_TIMEOUT_SECONDS = 60
"""A receipt takes two calls: in less time than both may need, a slow one would never get its entry."""

VISIBILITY_FACTOR = 6
"""Visibility time-out per function time-out ("Configuring a queue to use with Lambda")."""

MAX_RECEIVE_COUNT = 5
"""Deliveries before a message goes to the dead-letter queue; the least that AWS advises with Lambda."""

DAY_SECONDS = 24 * 60 * 60
QUEUE_RETENTION_SECONDS, DEAD_LETTER_RETENTION_SECONDS = 4 * DAY_SECONDS, 14 * DAY_SECONDS
"""A dead letter keeps the time when it was first sent, so that its queue has to keep it for longer."""

DATA_KEY_REUSE_SECONDS = 5 * 60
"""How long SQS uses a data key before it asks KMS again, and so how long a disabled key goes on working."""

ACCESS_LOG_PREFIX = "uploads/"

PREFIX_PATTERN = r"([A-Za-z0-9_.-]+/)*"
PREFIX_ALLOWED = "empty, or folders that each end in /, such as receipts/"


@dataclass(frozen=True, kw_only=True)
class IngestPipelineArgs:
    """What a pipeline is made of.

    `event_prefix` narrows the events to keys that start so; empty is the whole bucket. `max_concurrency`
    counts processors at the same time. `allowed_origins` are the web sites whose pages may upload. Without an
    `object_lock`, anybody who may delete objects can delete uploads at any time.
    """

    common: CommonArgs
    ledger: Ledger
    accepted_types: Sequence[str]
    max_receipt_megabytes: int
    event_prefix: str = ""
    allowed_origins: Sequence[str] = ()
    object_lock: ObjectLock | None = None
    batch_size: int = 10
    batch_window_seconds: int = 1
    max_concurrency: int = 10
    timeout_seconds: int = 60
    memory_megabytes: int = 512

    def __post_init__(self) -> None:
        refuse(
            "IngestPipelineArgs",
            not_empty("accepted_types", self.accepted_types, "at least one media type"),
            unique("accepted_types", self.accepted_types),
            *(
                one_of("accepted_types", media_type, media_types.ACCEPTABLE)
                for media_type in self.accepted_types
            ),
            between("max_receipt_megabytes", self.max_receipt_megabytes, 1, MAX_RECEIPT_MEGABYTES),
            matches("event_prefix", self.event_prefix, PREFIX_PATTERN, PREFIX_ALLOWED),
            *(origin("allowed_origins", site) for site in self.allowed_origins),
            unique("allowed_origins", self.allowed_origins),
            between("batch_size", self.batch_size, 1, MAX_BATCH_SIZE),
            between("batch_window_seconds", self.batch_window_seconds, 0, MAX_BATCH_WINDOW_SECONDS),
            batch_has_window("batch_window_seconds", self.batch_size, self.batch_window_seconds),
            between("max_concurrency", self.max_concurrency, MIN_CONCURRENCY, MAX_CONCURRENCY),
            between("timeout_seconds", self.timeout_seconds, MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS),
            receipt_fits_timeout("timeout_seconds", self.timeout_seconds, self.max_receipt_megabytes),
            between("memory_megabytes", self.memory_megabytes, MIN_MEMORY_MEGABYTES, MAX_MEMORY_MEGABYTES),
        )

    @property
    def visibility_timeout_seconds(self) -> int:
        """How long a message stays hidden while a function works on it."""
        return VISIBILITY_FACTOR * self.timeout_seconds + self.batch_window_seconds


def batch_has_window(name: str, batch_size: int, window_seconds: int) -> Problem | None:
    """Check Lambda's rule that a batch of more than 10 messages needs a window to gather them in."""
    if batch_size <= MAX_BATCH_SIZE_WITHOUT_WINDOW or window_seconds >= 1:
        return None
    return Problem(
        name=name,
        value=window_seconds,
        allowed=f"at least 1 with batches of more than {MAX_BATCH_SIZE_WITHOUT_WINDOW} (here {batch_size})",
    )


def receipt_fits_timeout(name: str, timeout_seconds: int, max_receipt_megabytes: int) -> Problem | None:
    """Check that the largest receipt can be read in the time: otherwise every delivery would fail."""
    rate = READ_MEGABYTES_PER_SECOND
    least = -(-max_receipt_megabytes // rate) + deadlines.CALL_SECONDS
    if timeout_seconds >= least:
        return None
    return Problem(
        name=name,
        value=timeout_seconds,
        allowed=f"at least {least} for receipts of {max_receipt_megabytes} MB at {rate} MB/s",
    )


def _only_with_key(
    key_arn: pulumi.Input[str],
) -> Callable[[pulumi.Output[str]], pulumi.Output[list[policies.Statement]]]:
    return lambda bucket_arn: policies.resolve(
        policies.customer_key_statements, bucket_arn=bucket_arn, key_arn=key_arn
    )


class IngestPipeline(pulumi.ComponentResource):
    """What takes receipts in: every new object becomes a message, and every message an entry.

    Outputs: `bucket_name` and `bucket_arn`; url, arn and name of the queues, such as `queue_url` and
    `dead_letter_queue_arn`; and `alarm_arns`, `log_groups` by what they log, and `instance` as it was given.
    `processor` is the function.
    """

    def __init__(
        self, name: str, args: IngestPipelineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:ingest:IngestPipeline", name, None, opts)
        uploads = self._uploads(name, args)
        self._log_access(name, args, uploads)
        queue, dead_letters = self._queues(name, args)
        self._notify(name, args, uploads, queue)
        self.processor = self._processor(name, args, uploads, queue)
        alarms = queue_alarms(queue.name, dead_letters.name, args.common.alarms.thresholds)
        own_alarms = create_alarms(name, alarms, args.common, self)

        self.instance = args.common.instance
        self.bucket_name = uploads.name
        self.bucket_arn = uploads.arn
        self.queue_url = queue.url
        self.queue_arn = queue.arn
        self.queue_name = queue.name
        self.dead_letter_queue_url = dead_letters.url
        self.dead_letter_queue_arn = dead_letters.arn
        self.dead_letter_queue_name = dead_letters.name
        self.alarm_arns = [*own_alarms, *self.processor.alarm_arns]
        self.log_groups = {"processor": self.processor.log_group_name}
        self.register_outputs(
            {
                "bucket_name": self.bucket_name,
                "bucket_arn": self.bucket_arn,
                "queue_url": self.queue_url,
                "queue_arn": self.queue_arn,
                "queue_name": self.queue_name,
                "dead_letter_queue_url": self.dead_letter_queue_url,
                "dead_letter_queue_arn": self.dead_letter_queue_arn,
                "dead_letter_queue_name": self.dead_letter_queue_name,
            }
        )

    def _uploads(self, name: str, args: IngestPipelineArgs) -> PrivateBucket:
        """Make the bucket for uploads. Nothing in it expires: the ledger points to its objects for ever."""
        key_arn = args.common.key_arn
        uploads = PrivateBucket(
            f"{name}-uploads",
            PrivateBucketArgs(
                common=args.common,
                key_arn=key_arn,
                statements=_only_with_key(key_arn) if key_arn else None,
                object_lock=args.object_lock,
                # A bucket with locked uploads can't be deleted: their entries are not to go before them.
                outlived_by=[args.ledger.table],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.allowed_origins:
            aws.s3.BucketCorsConfiguration(
                f"{name}-uploads-cors",
                bucket=uploads.name,
                cors_rules=[
                    aws.s3.BucketCorsConfigurationCorsRuleArgs(
                        allowed_origins=list(args.allowed_origins),
                        allowed_methods=["POST", "PUT"],
                        allowed_headers=["authorization", "content-md5", "content-type", "x-amz-*"],
                        max_age_seconds=3600,
                    )
                ],
                opts=pulumi.ResourceOptions(parent=self),
            )
        return uploads

    def _log_access(self, name: str, args: IngestPipelineArgs, uploads: PrivateBucket) -> None:
        """Keep S3's access logs of the uploads for as long as all logs, in a bucket of their own.

        That bucket has no access log, which would log itself, and takes S3's own key: S3 delivers access logs
        to no other ("Enabling Amazon S3 server access logging").
        """
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
        access_logs = PrivateBucket(
            f"{name}-access-logs",
            PrivateBucketArgs(
                common=args.common,
                statements=lambda bucket_arn: policies.resolve(
                    policies.log_delivery_statements,
                    bucket_arn=bucket_arn,
                    prefix=ACCESS_LOG_PREFIX,
                    source_arn=uploads.arn,
                    account_id=account.account_id,
                ),
                expiry_days=args.common.log_retention_days,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.s3.BucketLogging(
            f"{name}-uploads-logging",
            bucket=uploads.name,
            target_bucket=access_logs.name,
            target_prefix=ACCESS_LOG_PREFIX,
            opts=protected(args.common, self, [access_logs.policy]),
        )

    def _queues(self, name: str, args: IngestPipelineArgs) -> tuple[aws.sqs.Queue, aws.sqs.Queue]:
        guard = protected(args.common, self)
        key_arn = args.common.key_arn
        # The two are exclusive: with a customer's key, SQS's own may not even be declined.
        sqs_key, reuse_seconds = (None, DATA_KEY_REUSE_SECONDS) if key_arn else (True, None)
        dead_letters = aws.sqs.Queue(
            f"{name}-dead-letters",
            message_retention_seconds=DEAD_LETTER_RETENTION_SECONDS,
            sqs_managed_sse_enabled=sqs_key,
            kms_master_key_id=key_arn,
            kms_data_key_reuse_period_seconds=reuse_seconds,
            tags=args.common.tags,
            opts=guard,
        )
        queue = aws.sqs.Queue(
            f"{name}-queue",
            message_retention_seconds=QUEUE_RETENTION_SECONDS,
            visibility_timeout_seconds=args.visibility_timeout_seconds,
            redrive_policy=pulumi.Output.json_dumps(
                {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": MAX_RECEIVE_COUNT}
            ),
            sqs_managed_sse_enabled=sqs_key,
            kms_master_key_id=key_arn,
            kms_data_key_reuse_period_seconds=reuse_seconds,
            tags=args.common.tags,
            opts=guard,
        )
        aws.sqs.RedriveAllowPolicy(
            f"{name}-dead-letters-source",
            queue_url=dead_letters.url,
            redrive_allow_policy=pulumi.Output.json_dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [queue.arn]}
            ),
            opts=guard,
        )
        aws.sqs.QueuePolicy(
            f"{name}-dead-letters-policy",
            queue_url=dead_letters.url,
            policy=policies.to_json(
                policies.resolve(policies.dead_letter_queue_statements, queue_arn=dead_letters.arn)
            ),
            opts=guard,
        )
        return queue, dead_letters

    def _notify(
        self, name: str, args: IngestPipelineArgs, uploads: PrivateBucket, queue: aws.sqs.Queue
    ) -> None:
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
        queue_policy = aws.sqs.QueuePolicy(
            f"{name}-queue-policy",
            queue_url=queue.url,
            policy=policies.to_json(
                policies.resolve(
                    policies.queue_statements,
                    queue_arn=queue.arn,
                    bucket_arn=uploads.arn,
                    account_id=account.account_id,
                )
            ),
            opts=protected(args.common, self),
        )
        aws.s3.BucketNotification(
            f"{name}-uploads-notification",
            bucket=uploads.name,
            queues=[
                aws.s3.BucketNotificationQueueArgs(
                    queue_arn=queue.arn,
                    events=["s3:ObjectCreated:*"],
                    filter_prefix=args.event_prefix or None,
                )
            ],
            # S3 tries the queue when the notification is created, and refuses it without the policy.
            opts=protected(args.common, self, [queue_policy]),
        )

    def _processor(
        self, name: str, args: IngestPipelineArgs, uploads: PrivateBucket, queue: aws.sqs.Queue
    ) -> PythonFunction:
        service = f"{name}-processor"
        processor = PythonFunction(
            service,
            PythonFunctionArgs(
                package="processor",
                shared=["contract", "ledger"],
                layers=args.common.layers,
                description="Fingerprints uploaded receipts and records their outcomes",
                statements=policies.resolve(
                    policies.processor_statements,
                    bucket_arn=uploads.arn,
                    queue_arn=queue.arn,
                    table_arn=args.ledger.table_arn,
                    index_arn=args.ledger.index_arn,
                ),
                environment={
                    # The dimensions of its metrics.
                    environment.SERVICE_NAME: service,
                    environment.STACK_NAME: args.common.instance,
                    environment.LEDGER_TABLE: args.ledger.table_name,
                    environment.LEDGER_SHARDS: str(args.ledger.shards),
                    environment.MAX_RECEIPT_BYTES: str(args.max_receipt_megabytes * 1024 * 1024),
                    environment.ACCEPTED_TYPES: ",".join(args.accepted_types),
                },
                decrypts_via=["dynamodb", "s3", "sqs"],
                # Errors of the API's functions are errors of the API; nobody waits for this one's answer.
                essential_errors=True,
                common=args.common,
                timeout_seconds=args.timeout_seconds,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Lambda refuses a role that can't read the queue. It can: the function waits for its role's policy.
        aws.lambda_.EventSourceMapping(
            f"{name}-processor-source",
            event_source_arn=queue.arn,
            function_name=processor.arn,
            batch_size=args.batch_size,
            maximum_batching_window_in_seconds=args.batch_window_seconds,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=aws.lambda_.EventSourceMappingScalingConfigArgs(
                maximum_concurrency=args.max_concurrency
            ),
            tags=args.common.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return processor
