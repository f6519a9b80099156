"""PrivateBucket: a bucket that nobody can reach from other accounts or without TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.policies.documents import Statement, resolve, to_json
from components.policies.resources import bucket_statements, customer_key_statements, s3_key_statements
from components.stack_args import StackArgs, protected
from components.validation import Checked, InvalidValue, between, one_of, setting
from functions.contract.entry import STALE_MULTIPART_DAYS

MAX_OBJECT_LOCK_DAYS = 36_500
"""Amazon S3 User Guide, "Configuring S3 Object Lock": 100 years."""


@dataclass(frozen=True, kw_only=True)
class ObjectLockSettings(Checked):
    """Object Lock."""

    object_lock_days: int = setting(
        0,
        "How many days a new upload is locked against deletion (0 for no lock)",
        between(0, MAX_OBJECT_LOCK_DAYS),
    )
    object_lock_mode: str = setting(
        "governance",
        'Who can delete a locked upload: with "governance", whoever has s3:BypassGovernanceRetention; with '
        '"compliance", nobody, not even the root user of the account',
        one_of("governance", "compliance"),
    )

    def invalid_values(self) -> Iterator[InvalidValue]:
        """Refuse the stricter mode without days, since somebody forgot them."""
        yield from super().invalid_values()
        if self.object_lock_mode == "compliance" and not self.object_lock_days:
            yield InvalidValue(
                name="object_lock_days",
                value=self.object_lock_days,
                allowed="at least 1 with objectLockMode compliance",
            )


@dataclass(frozen=True, kw_only=True)
class PrivateBucketArgs:
    """The args of a private bucket.

    `key_arn` is the key that encrypts the objects, and the only one that uploads may ask for; without it,
    S3's own key encrypts them. `statements` takes the bucket's ARN and returns what else its policy says.
    `object_lock` is for every new object, unless `locks_each` is false: then an object is locked as it is
    written, or not at all. Without `expiry_days`, objects never expire; with `expiry_prefix`, only those
    below it do. Pulumi only deletes the resources in `outlived_by` after the bucket.
    """

    stack: StackArgs
    key_arn: pulumi.Input[str] | None = None
    statements: Callable[[pulumi.Output[str]], pulumi.Input[list[Statement]]] | None = None
    object_lock: ObjectLockSettings | None = None
    locks_each: bool = True
    expiry_days: int | None = None
    expiry_prefix: str = ""
    outlived_by: Sequence[pulumi.Resource] = ()


class PrivateBucket(pulumi.ComponentResource):
    """A versioned, encrypted bucket without ACLs and without public access.

    Outputs: `name`, `arn`. `policy` is the bucket's policy, for resources that have to wait for it.
    """

    def __init__(
        self, name: str, args: PrivateBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:bucket:PrivateBucket", name, None, opts)
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            force_destroy=not args.stack.protect_data,
            tags=args.stack.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.stack.protect_data,
                depends_on=list(args.outlived_by),
                # Object Lock is a separate resource, which a bucket can get at any time. If a bucket was
                # created with a lock, its state says so, and without this line the provider would replace it.
                ignore_changes=["objectLockEnabled"],
            ),
        )
        self.name = bucket.bucket
        self.arn = bucket.arn
        self._close(name, args)
        self._encrypt(name, args)
        versioning = self._keep_versions(name, args)
        self._clean_up(name, args, versioning)
        self.policy = self._policy(name, args)
        self.register_outputs({"name": self.name, "arn": self.arn})

    def _close(self, name: str, args: PrivateBucketArgs) -> None:
        guard = protected(args.stack, self)
        self._public_access = aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=self.name,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=guard,
        )
        aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=self.name,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=guard,
        )

    def _encrypt(self, name: str, args: PrivateBucketArgs) -> None:
        key_arn = args.key_arn
        by_default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="aws:kms" if key_arn else "AES256", kms_master_key_id=key_arn
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=self.name,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=by_default,
                    # One call to KMS for many objects, instead of one or more for each.
                    bucket_key_enabled=True if key_arn else None,
                )
            ],
            opts=protected(args.stack, self),
        )

    def _keep_versions(self, name: str, args: PrivateBucketArgs) -> aws.s3.BucketVersioning:
        versioning = aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=self.name,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=protected(args.stack, self),
        )
        lock = args.object_lock
        if lock and lock.object_lock_days:
            rule = aws.s3.BucketObjectLockConfigurationRuleArgs(
                default_retention=aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                    mode=lock.object_lock_mode.upper(), days=lock.object_lock_days
                )
            )
            aws.s3.BucketObjectLockConfiguration(
                f"{name}-object-lock",
                bucket=self.name,
                rule=rule if args.locks_each else None,
                opts=protected(args.stack, self, [versioning]),
            )
        return versioning

    def _clean_up(self, name: str, args: PrivateBucketArgs, versioning: aws.s3.BucketVersioning) -> None:
        everything = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
        rules = [
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="abort-stale-multipart-uploads",
                status="Enabled",
                filter=everything,
                abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                    days_after_initiation=STALE_MULTIPART_DAYS
                ),
            )
        ]
        if args.expiry_days:
            rules.append(
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expire",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=args.expiry_prefix),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=args.expiry_days),
                    noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=1
                    ),
                )
            )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=self.name,
            rules=rules,
            opts=protected(args.stack, self, [versioning]),
        )

    def _policy(self, name: str, args: PrivateBucketArgs) -> aws.s3.BucketPolicy:
        further = [args.statements(self.arn)] if args.statements else []
        if args.key_arn:
            further.append(resolve(customer_key_statements, bucket_arn=self.arn, key_arn=args.key_arn))
        else:
            further.append(resolve(s3_key_statements, bucket_arn=self.arn))
        return aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=self.name,
            policy=to_json(resolve(bucket_statements, bucket_arn=self.arn), *further),
            # S3 refuses two changes of a bucket's access at the same time.
            opts=protected(args.stack, self, [self._public_access]),
        )
