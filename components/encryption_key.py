"""EncryptionKey: the customer's key, which encrypts all data of a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.policies.documents import resolve, to_json
from components.policies.keys import key_statements
from components.validation import Checked, one_of, setting

AWS_OWNED, CUSTOMER_KEY = "aws-owned", "customer-key"

DELETION_WINDOW_DAYS = 30
"""The longest window before KMS deletes a key, after which nobody can read what it encrypted."""


@dataclass(frozen=True, kw_only=True)
class EncryptionSettings(Checked):
    """Encryption."""

    encryption: str = setting(
        AWS_OWNED,
        'Whose key encrypts the data: "aws-owned", or "customer-key" (a KMS key of this stack, for a fee)',
        one_of(AWS_OWNED, CUSTOMER_KEY),
    )


class EncryptionKey(pulumi.ComponentResource):
    """A KMS key for `StackArgs.key_arn`, with an alias and yearly rotation. Output: `arn`.

    The key stays in the account when its resource is deleted, since only this key can decrypt older uploads,
    messages and backups. The resource isn't protected, because Pulumi would then refuse to remove it from the
    stack.
    """

    def __init__(
        self, name: str, tags: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:encryption:EncryptionKey", name, None, opts)
        invoke = pulumi.InvokeOutputOptions(parent=self)
        key = aws.kms.Key(
            f"{name}-key",
            description="Encrypts uploads, messages, the ledger and logs",
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            policy=to_json(
                resolve(
                    key_statements,
                    account_id=aws.get_caller_identity_output(opts=invoke).account_id,
                    region=aws.get_region_output(opts=invoke).region,
                    dns_suffix=aws.get_partition_output(opts=invoke).dns_suffix,
                )
            ),
            tags=tags,
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
