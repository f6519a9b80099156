"""EncryptionKey: the customer's key for all that a stack keeps."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components import policies
from components.common import CommonArgs

DELETION_WINDOW_DAYS = 30
"""The longest that KMS waits before it deletes a key: with the key goes all that it encrypted."""


class EncryptionKey(pulumi.ComponentResource):
    """A KMS key that is rotated every year, under an alias, for `CommonArgs.key_arn`.

    Uses only `tags` of the arguments. The key is never deleted with its resource: it stays in the account,
    for older uploads, messages and backups that only it can decrypt, until somebody deletes it on purpose. It
    isn't protected, which would refuse to give it up. Output: `arn`.
    """

    def __init__(self, name: str, args: CommonArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:encryption:EncryptionKey", name, None, opts)
        invoke = pulumi.InvokeOutputOptions(parent=self)
        key = aws.kms.Key(
            f"{name}-key",
            description="Encrypts uploads, messages, the ledger and logs",
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            policy=policies.to_json(
                policies.resolve(
                    policies.key_statements,
                    account_id=aws.get_caller_identity_output(opts=invoke).account_id,
                    region=aws.get_region_output(opts=invoke).region,
                    dns_suffix=aws.get_partition_output(opts=invoke).dns_suffix,
                )
            ),
            tags=args.tags,
            # What it has encrypted outlives the stack, and outlives a change of `encryption`.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name_prefix=f"alias/{name}-",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})
