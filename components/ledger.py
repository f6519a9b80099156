"""Ledger: the table that keeps one entry for every upload, and its time index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarms import create_alarms, table_alarms
from components.stack_args import StackArgs, protected
from components.validation import SETTINGS, Checked, InvalidValue, between, refuse, setting
from functions.contract import environment, schema

MAX_SHARDS = 64
"""The reader queries every shard for each page of the listing, so more shards make it slower."""

MAX_UNITS_PER_SECOND = 40_000
"""The account's default quota for one table ("Quotas in Amazon DynamoDB")."""


@dataclass(frozen=True, kw_only=True)
class LedgerSettings(Checked):
    """The ledger."""

    ledger_shards: int = setting(
        4,
        "How many partitions a month has in the ledger's time index (can be raised later, but never lowered)",
        between(1, MAX_SHARDS),
    )
    ledger_max_read_units: int = setting(
        4_000,
        "How many read units a second the ledger scales to before DynamoDB throttles it",
        between(1, MAX_UNITS_PER_SECOND),
    )
    ledger_max_write_units: int = setting(
        1_000,
        "How many write units a second the ledger scales to before DynamoDB throttles it",
        between(1, MAX_UNITS_PER_SECOND),
    )


@dataclass(frozen=True, kw_only=True)
class LedgerArgs(LedgerSettings):
    """The args of a ledger. The limits on units apply to the table and to the index separately."""

    stack: StackArgs


SHARDS_TAG = "ledger-shards"
"""The tag of the table that says how many shards it has."""


def shards_hook(name: str) -> pulumi.ResourceHookBinding:
    """Have Pulumi call `refuse_fewer_shards` before it changes a resource, in a preview as well."""
    hook = pulumi.ResourceHook(name, refuse_fewer_shards, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_update=[hook])


def refuse_fewer_shards(changed: pulumi.ResourceHookArgs) -> None:
    """Refuse fewer shards than a table or a function had: the reader would no longer query the others.

    The table has the number in a tag. Tables of release 0.1 don't, but their reader has it in an environment
    variable.
    """
    before, after = _shards(changed.old_inputs), _shards(changed.new_inputs)
    if before is not None and after is not None and after < before:
        fewer = InvalidValue(
            name="ledgerShards",
            value=after,
            allowed=f"{before} or more: each month's entries are spread over {before} partitions, "
            "and with fewer, some would no longer be found",
        )
        refuse(SETTINGS, [fewer])


def _shards(inputs: Mapping[str, Any] | None) -> int | None:
    """Read the number from the inputs of a table or a function; None if it isn't there or not yet known."""
    given = inputs or {}
    variables = (given.get("environment") or {}).get("variables") or {}
    number = (given.get("tags") or {}).get(SHARDS_TAG) or variables.get(environment.LEDGER_SHARDS)
    return int(number) if isinstance(number, str) and number.isdecimal() else None


class Ledger(pulumi.ComponentResource):
    """An on-demand DynamoDB table with point-in-time recovery, encryption and the time index.

    Outputs: `table_name`, `table_arn`, `index_arn`. It also has the `table`, `alarm_arns`, `shards`,
    and `max_read_units`.
    """

    def __init__(self, name: str, args: LedgerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:ledger:Ledger", name, None, opts)
        key_arn = args.stack.key_arn
        units = {
            "max_read_request_units": args.ledger_max_read_units,
            "max_write_request_units": args.ledger_max_write_units,
        }
        table = aws.dynamodb.Table(
            f"{name}-table",
            billing_mode="PAY_PER_REQUEST",
            hash_key=schema.FINGERPRINT,
            range_key=schema.ENTRY,
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=key, type="S")
                for key in (schema.FINGERPRINT, schema.ENTRY, schema.MONTH_SHARD, schema.RECORDED)
            ],
            global_secondary_indexes=[
                aws.dynamodb.TableGlobalSecondaryIndexArgs(
                    name=schema.TIME_INDEX,
                    key_schemas=[
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name=schema.MONTH_SHARD, key_type="HASH"
                        ),
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name=schema.RECORDED, key_type="RANGE"
                        ),
                    ],
                    projection_type="ALL",
                    on_demand_throughput=aws.dynamodb.TableGlobalSecondaryIndexOnDemandThroughputArgs(
                        **units
                    ),
                )
            ],
            on_demand_throughput=aws.dynamodb.TableOnDemandThroughputArgs(**units),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                # If this is not enabled, a key that AWS owns encrypts the table.
                enabled=key_arn is not None,
                kms_key_arn=key_arn,
            ),
            deletion_protection_enabled=args.stack.protect_data,
            tags={**args.stack.tags, SHARDS_TAG: str(args.ledger_shards)},
            opts=pulumi.ResourceOptions.merge(
                protected(args.stack, self), pulumi.ResourceOptions(hooks=shards_hook(f"{name}-shards"))
            ),
        )
        alarms = table_alarms(table.name, schema.TIME_INDEX, args.stack)
        self.alarm_arns = create_alarms(name, alarms, args.stack, self)
        self.shards = args.ledger_shards
        self.max_read_units = args.ledger_max_read_units
        self.table = table
        self.index_arn = pulumi.Output.concat(table.arn, f"/index/{schema.TIME_INDEX}")
        self.register_outputs({"table_name": table.name, "table_arn": table.arn, "index_arn": self.index_arn})
