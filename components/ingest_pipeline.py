"""IngestPipeline: bucket, queues and processor, and the connections between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarms import create_alarms, queue_alarms, versioning_alarm
from components.ledger import Ledger
from components.policies.documents import resolve, to_json
from components.policies.resources import (
    log_delivery_statements,
    queue_statements,
    tls_statements,
)
from components.policies.roles import processor_statements
from components.private_bucket import ObjectLockSettings, PrivateBucket, PrivateBucketArgs
from components.python_function import (
    MAX_TIMEOUT_SECONDS,
    MemoryArgs,
    PythonFunction,
    PythonFunctionArgs,
)
from components.stack_args import StackArgs, protected
from components.validation import (
    ORIGIN,
    UNIQUE,
    Checked,
    InvalidValue,
    between,
    each,
    matching,
    not_empty,
    one_of,
    setting,
)
from functions.contract import capacity, processing
from functions.contract.environment import NOBODY, ProcessorEnvironment, write_environment

MAX_BATCH_SIZE_WITHOUT_WINDOW = 10
"""AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping"."""

READ_MEGABYTES_PER_SECOND = 10
"""The slowest rate at which a receipt is read. S3 is much faster, but a batch shares the connection."""

MIN_TIMEOUT_SECONDS = 60
"""Enough for the two calls for a receipt: with less, a slow receipt would never get its entry."""

VISIBILITY_FACTOR = 6
"""The visibility time-out, as a multiple of the function's ("Configuring a queue to use with Lambda")."""

MAX_RECEIVE_COUNT = 5
"""Deliveries before a message goes to the dead-letter queue; AWS recommends at least five with Lambda."""

DAY_SECONDS = 24 * 60 * 60
QUEUE_RETENTION_SECONDS, DEAD_LETTER_RETENTION_SECONDS = 4 * DAY_SECONDS, 14 * DAY_SECONDS
"""A dead letter keeps the time at which it was first sent, so its queue has to keep it for longer."""

DATA_KEY_REUSE_SECONDS = 5 * 60
"""How long SQS uses a data key before it calls KMS again. A disabled key still works for that long."""

RESEND_CONCURRENCY = 2
"""How many batches from the resend queue are processed at the same time: the fewest that Lambda allows, since
new receipts go first."""

UPLOADS_ACCESS, LOG_ACCESS = "uploads/", "log/"
"""Where the access logs of the bucket are, and those of the bucket of the transparency log."""


@dataclass(frozen=True, kw_only=True)
class IngestSettings(Checked):
    """Receipts and how they are processed."""

    upload_prefix: str = setting(
        "",
        'The folder whose objects are receipts, such as "receipts/"; empty for the whole bucket',
        matching(
            rf"(?=.{{0,{capacity.MAX_PREFIX_CHARACTERS}}}$)([A-Za-z0-9_.-]+/)*",
            f"empty, or a folder of at most {capacity.MAX_PREFIX_CHARACTERS} characters that ends in /, such "
            "as receipts/",
        ),
    )
    accepted_types: Sequence[str] = setting(
        ("application/pdf", "image/heic", "image/jpeg", "image/png", "image/tiff", "image/webp"),
        "The media types that are accepted, according to the content of a file and not to its name",
        not_empty("at least one media type"),
        each(one_of(*processing.ACCEPTABLE_TYPES)),
        UNIQUE,
    )
    max_receipt_megabytes: int = setting(
        20,
        "The largest receipt that is accepted, in MB (1,048,576 bytes)",
        # The largest object that one PUT or POST can upload to S3.
        between(1, 5 * 1024),
    )
    allowed_origins: Sequence[str] = setting(
        (),
        "The origins of web pages that may call the API and upload receipts, such as "
        "https://receipts.example.com",
        each(ORIGIN),
        UNIQUE,
    )
    max_concurrency: int = setting(
        10,
        "How many batches may be processed at the same time",
        # AWS Lambda API Reference, `ScalingConfig.MaximumConcurrency`.
        between(2, 1_000),
    )
    batch_size: int = setting(10, "How many messages a batch can have", between(1, 10_000))
    batch_window_seconds: int = setting(
        1,
        "How many seconds a batch waits for more messages (at least 1 if batchSize is above 10)",
        between(0, 300),
    )
    function_timeout_seconds: int = setting(
        60,
        "How many seconds a batch may take",
        between(MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS),
    )

    def invalid_values(self) -> Iterator[InvalidValue]:
        """Refuse a large batch without a window, as Lambda does, and a time-out too short for a receipt.

        If reading the largest receipt took longer than the time-out, every delivery of it would fail.
        """
        yield from super().invalid_values()
        if self.batch_size > MAX_BATCH_SIZE_WITHOUT_WINDOW and self.batch_window_seconds < 1:
            yield InvalidValue(
                name="batch_window_seconds",
                value=self.batch_window_seconds,
                allowed=f"at least 1 with batches of more than {MAX_BATCH_SIZE_WITHOUT_WINDOW} "
                f"(here {self.batch_size})",
            )
        rate = READ_MEGABYTES_PER_SECOND
        least = -(-self.max_receipt_megabytes // rate) + processing.CALL_SECONDS
        if self.function_timeout_seconds < least:
            yield InvalidValue(
                name="function_timeout_seconds",
                value=self.function_timeout_seconds,
                allowed=f"at least {least} for receipts of {self.max_receipt_megabytes} MB at {rate} MB/s",
            )


@dataclass(frozen=True, kw_only=True)
class IngestPipelineArgs(IngestSettings, ObjectLockSettings, MemoryArgs):
    """The args of a pipeline.

    `form_signer` is the role that signs forms for the bucket. Without it, no caller is read from metadata.
    The access logs of `log_bucket` are kept with those of the bucket.
    """

    stack: StackArgs
    ledger: Ledger
    form_signer: aws.iam.Role | None = None
    log_bucket: PrivateBucket | None = None

    @property
    def max_receipt_bytes(self) -> int:
        """The size of the largest receipt that is accepted."""
        return self.max_receipt_megabytes * 1024 * 1024

    @property
    def visibility_timeout_seconds(self) -> int:
        """How long a message stays hidden while a function works on it."""
        return VISIBILITY_FACTOR * self.function_timeout_seconds + self.batch_window_seconds


class IngestPipeline(pulumi.ComponentResource):
    """Turns each object version in the bucket into a message in the queue, and then into an entry.

    Only S3 can send to the queue. What operators send again goes through the resend queue, whose messages the
    processor doesn't believe: they only name object versions. What fails five times in either becomes a dead
    letter.

    Outputs: name and arn of the bucket; url, arn and name of the queues, such as `queue_url` and
    `dead_letter_queue_arn`. It also has its `args`, what it is made of (`bucket`, `access_logs`, `queue`,
    `resends`, `dead_letters`, `processor`, `operations_log`), its `location` as in environment variables,
    `alarm_arns`, and `log_groups` by what they log.
    """

    def __init__(
        self, name: str, args: IngestPipelineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:ingest:IngestPipeline", name, None, opts)
        invoke = pulumi.InvokeOutputOptions(parent=self)
        self._account_id = aws.get_caller_identity_output(opts=invoke).account_id
        bucket = self._bucket(name, args)
        self.location = pulumi.Output.concat(bucket.name, "/", args.upload_prefix)
        self.access_logs = self._log_access(name, args, bucket)
        queue, resends, dead_letters = self._queues(name, args)
        self._notify(name, args, bucket, queue)
        self.processor = self._processor(name, args, bucket, queue, resends)
        self._take_messages(f"{name}-processor-source", args, queue, args.max_concurrency)
        self._take_messages(f"{name}-resends-source", args, resends, RESEND_CONCURRENCY)
        self.operations_log = aws.cloudwatch.LogGroup(
            f"{name}-operations-logs",
            retention_in_days=args.stack.log_retention_days,
            kms_key_id=args.stack.key_arn,
            tags=args.stack.tags,
            opts=protected(args.stack, self),
        )
        alarms = {
            **queue_alarms(queue.name, resends.name, dead_letters.name, args.stack),
            **versioning_alarm(args.stack.instance, self.processor.service),
        }
        own_alarms = create_alarms(name, alarms, args.stack, self)

        self.args = args
        self.bucket, self.queue, self.resends, self.dead_letters = bucket, queue, resends, dead_letters
        self.alarm_arns = [*own_alarms, *self.processor.alarm_arns]
        self.log_groups = {
            "processor": self.processor.log_group_name,
            "operations": self.operations_log.name,
        }
        self.register_outputs(
            {
                "bucket_name": bucket.name,
                "bucket_arn": bucket.arn,
                "queue_url": queue.url,
                "queue_arn": queue.arn,
                "queue_name": queue.name,
                "resend_queue_url": resends.url,
                "resend_queue_arn": resends.arn,
                "resend_queue_name": resends.name,
                "dead_letter_queue_url": dead_letters.url,
                "dead_letter_queue_arn": dead_letters.arn,
                "dead_letter_queue_name": dead_letters.name,
            }
        )

    def _bucket(self, name: str, args: IngestPipelineArgs) -> PrivateBucket:
        """Make the bucket. Nothing in it expires, since the ledger keeps pointing to its object versions."""
        bucket = PrivateBucket(
            f"{name}-uploads",
            PrivateBucketArgs(
                stack=args.stack,
                key_arn=args.stack.key_arn,
                object_lock=args,
                # A bucket with locked uploads can't be deleted, and their entries must not be deleted first.
                outlived_by=[args.ledger.table],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.allowed_origins:
            aws.s3.BucketCorsConfiguration(
                f"{name}-uploads-cors",
                bucket=bucket.name,
                cors_rules=[
                    aws.s3.BucketCorsConfigurationCorsRuleArgs(
                        allowed_origins=list(args.allowed_origins),
                        allowed_methods=["POST", "PUT"],
                        # SDKs for browsers send the first of these with every request.
                        allowed_headers=[
                            *("amz-sdk-*", "authorization", "content-md5", "content-type", "x-amz-*"),
                        ],
                        expose_headers=["ETag", "x-amz-version-id"],
                        max_age_seconds=3600,
                    )
                ],
                opts=pulumi.ResourceOptions(parent=self),
            )
        return bucket

    def _log_access(self, name: str, args: IngestPipelineArgs, bucket: PrivateBucket) -> PrivateBucket:
        """Keep S3's access logs of the buckets in a separate bucket, for as long as other logs.

        That bucket has no access logs, since they would log themselves. It is encrypted with S3's own key: S3
        delivers access logs to no other bucket ("Enabling Amazon S3 server access logging").
        """
        sources = {UPLOADS_ACCESS: bucket, **({LOG_ACCESS: args.log_bucket} if args.log_bucket else {})}
        access_logs = PrivateBucket(
            f"{name}-access-logs",
            PrivateBucketArgs(
                stack=args.stack,
                statements=lambda bucket_arn: resolve(
                    log_delivery_statements,
                    bucket_arn=bucket_arn,
                    source_arns=pulumi.Output.all(**{prefix: of.arn for prefix, of in sources.items()}),
                    account_id=self._account_id,
                ),
                expiry_days=args.stack.log_retention_days,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for prefix, source in sources.items():
            aws.s3.BucketLogging(
                f"{name}-{prefix.rstrip('/')}-logging",
                bucket=source.name,
                target_bucket=access_logs.name,
                target_prefix=prefix,
                opts=protected(args.stack, self, [access_logs.policy]),
            )
        return access_logs

    def _queues(
        self, name: str, args: IngestPipelineArgs
    ) -> tuple[aws.sqs.Queue, aws.sqs.Queue, aws.sqs.Queue]:
        """Make the queue that S3 sends to, the resend queue, and the dead-letter queue of both."""
        guard = protected(args.stack, self)
        key_arn = args.stack.key_arn
        # With a customer's key, SQS refuses any value for its own key, even False.
        sqs_key, reuse_seconds = (None, DATA_KEY_REUSE_SECONDS) if key_arn else (True, None)

        def make(what: str, **settings: Any) -> aws.sqs.Queue:
            return aws.sqs.Queue(
                f"{name}-{what}",
                sqs_managed_sse_enabled=sqs_key,
                kms_master_key_id=key_arn,
                kms_data_key_reuse_period_seconds=reuse_seconds,
                tags=args.stack.tags,
                opts=guard,
                **settings,
            )

        def only_tls(what: str, queue: aws.sqs.Queue) -> None:
            aws.sqs.QueuePolicy(
                f"{name}-{what}-policy",
                queue_url=queue.url,
                policy=to_json(resolve(tls_statements, queue_arn=queue.arn)),
                opts=guard,
            )

        dead_letters = make("dead-letters", message_retention_seconds=DEAD_LETTER_RETENTION_SECONDS)
        processed: dict[str, Any] = {
            "message_retention_seconds": QUEUE_RETENTION_SECONDS,
            "visibility_timeout_seconds": args.visibility_timeout_seconds,
            "redrive_policy": pulumi.Output.json_dumps(
                {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": MAX_RECEIVE_COUNT}
            ),
        }
        queue, resends = make("queue", **processed), make("resends", **processed)
        aws.sqs.RedriveAllowPolicy(
            f"{name}-dead-letters-source",
            queue_url=dead_letters.url,
            redrive_allow_policy=pulumi.Output.json_dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [queue.arn, resends.arn]}
            ),
            opts=guard,
        )
        only_tls("dead-letters", dead_letters)
        only_tls("resends", resends)
        return queue, resends, dead_letters

    def _notify(
        self, name: str, args: IngestPipelineArgs, bucket: PrivateBucket, queue: aws.sqs.Queue
    ) -> None:
        queue_policy = aws.sqs.QueuePolicy(
            f"{name}-queue-policy",
            queue_url=queue.url,
            policy=to_json(
                resolve(
                    queue_statements,
                    queue_arn=queue.arn,
                    bucket_arn=bucket.arn,
                    account_id=self._account_id,
                )
            ),
            opts=protected(args.stack, self),
        )
        aws.s3.BucketNotification(
            f"{name}-uploads-notification",
            bucket=bucket.name,
            queues=[
                aws.s3.BucketNotificationQueueArgs(
                    queue_arn=queue.arn,
                    events=["s3:ObjectCreated:*"],
                    filter_prefix=args.upload_prefix or None,
                )
            ],
            # S3 sends a test message when the notification is created, and refuses it without the policy.
            opts=protected(args.stack, self, [queue_policy]),
        )

    def _processor(
        self,
        name: str,
        args: IngestPipelineArgs,
        bucket: PrivateBucket,
        queue: aws.sqs.Queue,
        resends: aws.sqs.Queue,
    ) -> PythonFunction:
        service = f"{name}-processor"
        keys = [key for key in (args.stack.key_arn, *args.stack.former_key_arns) if key is not None]
        return PythonFunction(
            service,
            PythonFunctionArgs(
                package="processor",
                shared=["contract", "ledger"],
                layers=args.stack.layers,
                description="Fingerprints uploaded receipts and records their outcomes",
                statements=resolve(
                    processor_statements,
                    bucket_arn=bucket.arn,
                    upload_prefix=args.upload_prefix,
                    queue_arn=queue.arn,
                    resend_queue_arn=resends.arn,
                    table_arn=args.ledger.table.arn,
                    index_arn=args.ledger.index_arn,
                ),
                environment=write_environment(
                    ProcessorEnvironment,
                    service=service,
                    stack=args.stack.instance,
                    ledger_table=args.ledger.table.name,
                    ledger_shards=args.ledger.shards,
                    queue_arn=queue.arn,
                    account_id=self._account_id,
                    form_signer=args.form_signer.unique_id if args.form_signer else NOBODY,
                    location=self.location,
                    readable_encryption=pulumi.Output.all(processing.S3_KEY, *keys).apply(",".join),
                    max_receipt_bytes=args.max_receipt_bytes,
                    accepted_types=args.accepted_types,
                ),
                decrypts_via=["dynamodb", "s3", "sqs"],
                # If a function behind the API fails, the alarm over the API's errors goes off as well.
                essential_errors=True,
                stack=args.stack,
                timeout_seconds=args.function_timeout_seconds,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _take_messages(
        self, name: str, args: IngestPipelineArgs, queue: aws.sqs.Queue, concurrency: int
    ) -> None:
        """Have Lambda invoke the processor with the messages of a queue.

        Lambda refuses a role that can't read the queue; the function waits for its role's policy.
        """
        aws.lambda_.EventSourceMapping(
            name,
            event_source_arn=queue.arn,
            function_name=self.processor.arn,
            batch_size=args.batch_size,
            maximum_batching_window_in_seconds=args.batch_window_seconds,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=aws.lambda_.EventSourceMappingScalingConfigArgs(maximum_concurrency=concurrency),
            tags=args.stack.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
