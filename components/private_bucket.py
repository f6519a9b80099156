"""PrivateBucket: a bucket that nobody outside the account, and nobody without TLS, gets at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import policies
from components.checks import between, one_of, refuse
from components.common import CommonArgs, protected

STALE_MULTIPART_DAYS = 7

OBJECT_LOCK_MODES = ("governance", "compliance")
MAX_OBJECT_LOCK_DAYS = 36_500
"""Amazon S3 User Guide, "Configuring S3 Object Lock": 100 years."""


@dataclass(frozen=True, kw_only=True)
class ObjectLock:
    """How long no version of an object can be deleted or overwritten after it was uploaded.

    In mode "governance", principals with `s3:BypassGovernanceRetention` still can. In "compliance"
    nobody can, not even the account's root user, and the bucket can't be removed before.
    """

    mode: str
    days: int

    def __post_init__(self) -> None:
        refuse(
            "ObjectLock",
            one_of("mode", self.mode, OBJECT_LOCK_MODES),
            between("days", self.days, 1, MAX_OBJECT_LOCK_DAYS),
        )


@dataclass(frozen=True, kw_only=True)
class PrivateBucketArgs:
    """What a private bucket is made of.

    `key_arn` names the key that encrypts the objects; without it, S3's own key does. `statements` makes the
    statements of the bucket's policy that are added to "TLS only", given the bucket's ARN. Objects expire
    after `expiry_days`; without it, never. Pulumi deletes the resources in `outlived_by` only once the
    bucket is gone.
    """

    common: CommonArgs
    key_arn: pulumi.Input[str] | None = None
    statements: Callable[[pulumi.Output[str]], pulumi.Input[list[policies.Statement]]] | None = None
    expiry_days: int | None = None
    object_lock: ObjectLock | None = None
    outlived_by: Sequence[pulumi.Resource] = ()


class PrivateBucket(pulumi.ComponentResource):
    """A versioned, encrypted bucket without ACLs and without public access.

    Outputs: `name`, `arn`. `policy` is the bucket's policy, for what has to wait for it.
    """

    def __init__(
        self, name: str, args: PrivateBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:bucket:PrivateBucket", name, None, opts)
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            force_destroy=not args.common.protect,
            tags=args.common.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.common.protect,
                depends_on=list(args.outlived_by),
                # Object Lock is a configuration of its own, which a bucket can get at any time. The state of
                # a bucket that was created with it says so, and without this the provider would replace it.
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
        guard = protected(args.common, self)
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
                    # One call of KMS for many objects, instead of one or more for each.
                    bucket_key_enabled=True if key_arn else None,
                )
            ],
            opts=protected(args.common, self),
        )

    def _keep_versions(self, name: str, args: PrivateBucketArgs) -> aws.s3.BucketVersioning:
        versioning = aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=self.name,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=protected(args.common, self),
        )
        if lock := args.object_lock:
            aws.s3.BucketObjectLockConfiguration(
                f"{name}-object-lock",
                bucket=self.name,
                rule=aws.s3.BucketObjectLockConfigurationRuleArgs(
                    default_retention=aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                        mode=lock.mode.upper(), days=lock.days
                    )
                ),
                opts=protected(args.common, self, [versioning]),
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
                    filter=everything,
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
            opts=protected(args.common, self, [versioning]),
        )

    def _policy(self, name: str, args: PrivateBucketArgs) -> aws.s3.BucketPolicy:
        further: Sequence[pulumi.Input[list[policies.Statement]]] = (
            [args.statements(self.arn)] if args.statements else []
        )
        return aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=self.name,
            policy=policies.to_json(
                policies.resolve(policies.bucket_statements, bucket_arn=self.arn), *further
            ),
            # S3 refuses two changes of a bucket's access at the same time.
            opts=protected(args.common, self, [self._public_access]),
        )
