"""TransparencyLog: the log that seals the ledger, with the key that signs it, the sealer, and its alarms."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.alarms import create_alarms, sealer_alarms
from components.encryption_key import DELETION_WINDOW_DAYS
from components.ledger import Ledger, shards_hook
from components.policies.documents import resolve, to_json
from components.policies.keys import signing_key_statements
from components.policies.resources import undeletable_statements
from components.policies.roles import sealer_statements
from components.private_bucket import ObjectLockSettings, PrivateBucket, PrivateBucketArgs
from components.python_function import (
    MAX_TIMEOUT_SECONDS,
    MemoryArgs,
    PythonFunction,
    PythonFunctionArgs,
    function_role,
    schedule,
)
from components.stack_args import StackArgs, protected
from components.validation import argument, between
from functions.contract.environment import SealerEnvironment, write_environment
from functions.contract.sealing import (
    EVERY_MINUTES,
    LOCK_KEY,
    STAGING_DAYS,
    STAGING_FOLDER,
    TIMEOUT_SECONDS,
)
from functions.sealing.note import VerifierKey

KEY_SPEC, SIGN_VERIFY = "ECC_NIST_EDWARDS25519", "SIGN_VERIFY"

LOCK_UNITS = 40
"""How many units a second the table of the lock scales to. A run takes one or two of each."""

SEALS = "Seals the ledger's entries in the log"

OVERLAP_FACTOR = 2
"""How often the processor's time-out an entry can take from its time of recording to the ledger. Once is the
longest, and the rest is for the time index and for clocks that differ."""


@dataclass(frozen=True, kw_only=True)
class TransparencyLogArgs(ObjectLockSettings, MemoryArgs):
    """The args of a log. `recording_seconds` is the time-out of the function that records entries."""

    stack: StackArgs
    ledger: Ledger
    recording_seconds: int = argument(between(1, MAX_TIMEOUT_SECONDS))
    memory_megabytes: int = argument(between(128, 10_240), default=1024)


class TransparencyLog(pulumi.ComponentResource):
    """A log to which a function appends each entry of the ledger, so that it can't be changed unnoticed.

    The log is a bucket of its own, in the layout of c2sp.org/tlog-tiles. The item in the table `lock` says
    which tree is committed, and a key in KMS signs it.

    Outputs: `origin`, `public_key` (a verifier key), `bucket_name`. It also has its `bucket`, `lock`, `key`,
    `sealer`, `alarm_arns`, and `log_groups` by what they log.
    """

    def __init__(
        self, name: str, args: TransparencyLogArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:log:TransparencyLog", name, None, opts)
        invoke = pulumi.InvokeOutputOptions(parent=self)
        service = f"{name}-sealer"
        role = function_role(service, SEALS, args.stack, pulumi.ResourceOptions(parent=self))
        self.bucket = self._bucket(name, args)
        self.lock = self._lock(name, args)
        self.key = self._key(name, args, role)
        self.origin = pulumi.Output.concat(
            self.bucket.name,
            ".s3.",
            aws.get_region_output(opts=invoke).region,
            ".",
            aws.get_partition_output(opts=invoke).dns_suffix,
        )
        public_key = aws.kms.get_public_key_output(key_id=self.key.arn, opts=invoke).public_key
        self.public_key = pulumi.Output.all(self.origin, public_key).apply(
            lambda known: str(VerifierKey.of_spki(known[0], base64.b64decode(known[1])))
        )
        self.sealer = self._sealer(service, args, role)
        schedule(name, self.sealer, EVERY_MINUTES, "Has the sealer seal new entries", args.stack.tags, self)
        alarms = sealer_alarms(args.stack.instance, service)
        self.alarm_arns = [*create_alarms(name, alarms, args.stack, self), *self.sealer.alarm_arns]
        self.log_groups = {"sealer": self.sealer.log_group_name}
        self.register_outputs(
            {"origin": self.origin, "public_key": self.public_key, "bucket_name": self.bucket.name}
        )

    def _bucket(self, name: str, args: TransparencyLogArgs) -> PrivateBucket:
        keeps = args.stack.protect_data
        return PrivateBucket(
            name,
            PrivateBucketArgs(
                stack=args.stack,
                key_arn=args.stack.key_arn,
                statements=(lambda arn: resolve(undeletable_statements, bucket_arn=arn)) if keeps else None,
                object_lock=args,
                # Objects that are replaced all the time would pile up for as long.
                locks_each=False,
                expiry_days=STAGING_DAYS,
                expiry_prefix=STAGING_FOLDER,
                outlived_by=[args.ledger.table],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _lock(self, name: str, args: TransparencyLogArgs) -> aws.dynamodb.Table:
        return aws.dynamodb.Table(
            f"{name}-lock",
            billing_mode="PAY_PER_REQUEST",
            hash_key=LOCK_KEY,
            attributes=[aws.dynamodb.TableAttributeArgs(name=LOCK_KEY, type="S")],
            on_demand_throughput=aws.dynamodb.TableOnDemandThroughputArgs(
                max_read_request_units=LOCK_UNITS, max_write_request_units=LOCK_UNITS
            ),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                enabled=args.stack.key_arn is not None,
                kms_key_arn=args.stack.key_arn,
            ),
            deletion_protection_enabled=args.stack.protect_data,
            tags=args.stack.tags,
            opts=protected(args.stack, self),
        )

    def _key(self, name: str, args: TransparencyLogArgs, role: aws.iam.Role) -> aws.kms.Key:
        """Make the key. Nobody can replace it: auditors pin it, and with another one the log would end.

        Unlike a customer's key, it isn't kept without its stack: what it signed can be checked without it.
        """
        invoke = pulumi.InvokeOutputOptions(parent=self)
        account_id = aws.get_caller_identity_output(opts=invoke).account_id

        def statements(known: dict[str, str]) -> list[dict[str, object]]:
            return signing_key_statements(**known, stays=args.stack.protect_data)

        return aws.kms.Key(
            f"{name}-key",
            description="Signs the log that seals the ledger",
            key_usage=SIGN_VERIFY,
            customer_master_key_spec=KEY_SPEC,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            policy=to_json(pulumi.Output.all(account_id=account_id, role_arn=role.arn).apply(statements)),
            tags=args.stack.tags,
            opts=protected(args.stack, self),
        )

    def _sealer(self, service: str, args: TransparencyLogArgs, role: aws.iam.Role) -> PythonFunction:
        return PythonFunction(
            service,
            PythonFunctionArgs(
                package="sealer",
                shared=["contract", "sealing"],
                description=SEALS,
                role=role,
                layers=args.stack.layers,
                statements=resolve(
                    sealer_statements,
                    index_arn=args.ledger.index_arn,
                    log_bucket_arn=self.bucket.arn,
                    lock_table_arn=self.lock.arn,
                    key_arn=self.key.arn,
                    lock_days=args.object_lock_days,
                ),
                environment=write_environment(
                    SealerEnvironment,
                    service=service,
                    stack=args.stack.instance,
                    ledger_table=args.ledger.table.name,
                    ledger_shards=args.ledger.shards,
                    overlap_seconds=OVERLAP_FACTOR * args.recording_seconds,
                    log_bucket=self.bucket.name,
                    lock_table=self.lock.name,
                    public_key=self.public_key,
                    signing_key=self.key.arn,
                    lock_mode=args.object_lock_mode,
                    lock_days=args.object_lock_days,
                ),
                hooks=shards_hook(f"{service}-shards"),
                decrypts_via=["dynamodb", "s3"],
                encrypts_via=["s3"],
                essential_errors=True,
                stack=args.stack,
                timeout_seconds=TIMEOUT_SECONDS,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
