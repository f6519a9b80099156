"""One slice of a round: it reads on in the ledger or in the bucket, and sends what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.contract import schema
from functions.contract.entry import ObjectVersion, format_time, parse_time
from functions.log import logger
from functions.reconciler.compact_table import KEY_BYTES, CompactTable
from functions.reconciler.progress import BACKED, ENTRIES, Progress, ProgressStore, Round
from functions.reconciliation.inventory import READ_UNITS_PER_SECOND, Pace, StoredVersion, list_page
from functions.reconciliation.resends import BATCH_MESSAGES, message_body, resend_event, send_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import ScanInputTypeDef
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

    from functions.contract.environment import ReconcilerEnvironment
    from functions.contract.schema import Item

SOURCE = "bill-e:reconciler"
"""The source of what the reconciler sends."""

MOST_UNSENT = 1_000
"""How many missing uploads are found before they are sent and the progress is saved."""

MOST_UNSAVED_BYTES = 32 * 1024 * 1024
"""How much is read of the ledger before it is written: about a million entries."""

SHOWN = 100
"""How many uploads without an entry, and receipts without an object version, are logged in a round."""

NO_RECEIPT = bytes(KEY_BYTES)
"""Stands for the fingerprint of an entry that was rejected, which isn't one of a receipt."""


class Slice:
    """Goes on with a round from where the last slice has saved it.

    Of each entry, the first 128 bits of its object id and of its receipt's fingerprint are kept.
    """

    def __init__(
        self,
        s3: S3Client,
        dynamodb: DynamoDBClient,
        sqs: SQSClient,
        store: ProgressStore,
        environment: ReconcilerEnvironment,
    ) -> None:
        self._s3, self._dynamodb, self._sqs = s3, dynamodb, sqs
        self._store = store
        self._environment = environment
        self._pace = Pace(READ_UNITS_PER_SECOND)
        self._entries, self._backed = CompactTable(KEY_BYTES), CompactTable(0)
        self._unsaved = {ENTRIES: bytearray(), BACKED: bytearray()}
        self._unsent: list[StoredVersion] = []

    def take(self, progress: Progress, round_: Round, may_go_on: Callable[[], bool]) -> None:
        """Go on until the round is complete or the time is over. What is missing is sent."""
        for kind, table in ((ENTRIES, self._entries), (BACKED, self._backed)):
            for number, version_id in enumerate(round_.runs[kind]):
                table.add(self._store.read_run(kind, number, version_id))
        while not round_.is_complete and may_go_on():
            if round_.ledger_key is not None:
                self._read_ledger(round_, round_.ledger_key)
            else:
                self._list_bucket(round_)
            if len(self._unsent) >= MOST_UNSENT or self._unsaved_bytes >= MOST_UNSAVED_BYTES:
                self._send(round_)
                self.save(progress, round_)
        self._send(round_)

    @property
    def _unsaved_bytes(self) -> int:
        return sum(map(len, self._unsaved.values()))

    def save(self, progress: Progress, round_: Round) -> None:
        """Save how far everything has been compared and sent. Sending something twice does no harm."""
        for kind, rows in self._unsaved.items():
            if rows:
                runs = round_.runs[kind]
                runs.append(self._store.write_run(kind, len(runs), bytes(rows)))
                rows.clear()
        self._store.save(progress)

    def unbacked(self) -> int:
        """Count the receipts without any object version, once the round is complete, and log the first."""
        missing = {
            fingerprint
            for fingerprint in self._entries.values()
            if fingerprint != NO_RECEIPT and self._backed.value_of(fingerprint) is None
        }
        for fingerprint in sorted(missing)[:SHOWN]:
            log_unbacked(fingerprint)
        return len(missing)

    def _read_ledger(self, round_: Round, start: dict[str, Any]) -> None:
        """Read a page of the ledger, eventually consistent: an entry that is judged is older than that."""
        scan: ScanInputTypeDef = {
            "TableName": self._environment.ledger_table,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if start:
            scan["ExclusiveStartKey"] = start
        page = self._dynamodb.scan(**scan, **schema.RECONCILER_VIEW)
        entries = [item for item in page["Items"] if not schema.is_note(item)]
        for item in entries:
            self._add(round_, item)
        round_.entries += len(entries)
        self._pace.spend(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
        round_.ledger_key = page.get("LastEvaluatedKey")
        if round_.ledger_key is None and round_.entries < round_.entries_before:
            # They have to be restored. What is sent would get another entry, with the time of today.
            logger.error(
                "the ledger has lost entries",
                extra={"entries": round_.entries, "entries_before": round_.entries_before},
            )
            round_.may_send = False

    def _add(self, round_: Round, item: Item) -> None:
        try:
            version = schema.version_of(item)
            uploaded_at = format_time(parse_time(item["uploaded_at"]["S"]))
            key, receipt = _key(version), _receipt(item)
        except (KeyError, ValueError) as error:
            named = {name: item[name].get("S") for name in (schema.FINGERPRINT, schema.ENTRY)}
            logger.error("an item of the ledger is not an entry", extra={**named, "reason": repr(error)})
            return
        if not self._environment.location.holds(version):
            # The bucket of that time isn't listed, so what is in it is taken to be there.
            self._add_backed(receipt)
            return
        if not item.get("resent", {}).get("BOOL"):
            round_.newest_upload = max(round_.newest_upload, uploaded_at)
        self._unsaved[ENTRIES] += key + receipt
        self._entries.add(key + receipt)

    def _add_backed(self, receipt: bytes) -> None:
        if receipt != NO_RECEIPT and self._backed.value_of(receipt) is None:
            self._unsaved[BACKED] += receipt
            self._backed.add(receipt)

    def _list_bucket(self, round_: Round) -> None:
        location = self._environment.location
        page = list_page(self._s3, location.bucket, location.prefix, round_.place or {})
        for version in page.versions:
            stored = _identified(location.bucket, version)
            receipt = self._entries.value_of(_key(stored))
            if receipt is None:
                self._add_unrecorded(round_, version, stored)
            else:
                self._add_backed(receipt)
        round_.versions += len(page.versions)
        round_.place = page.next_place

    def _add_unrecorded(self, round_: Round, version: StoredVersion, stored: ObjectVersion) -> None:
        if not round_.judges(version):
            round_.in_flight += 1
            return
        round_.missing += 1
        if round_.missing <= SHOWN:
            log_missing(stored, version.modified)
        if round_.may_send:
            self._unsent.append(version)

    def _send(self, round_: Round) -> None:
        for start in range(0, len(self._unsent), BATCH_MESSAGES):
            batch = self._unsent[start : start + BATCH_MESSAGES]
            send_batch(self._sqs, self._environment.resend_queue_url, [self._message(one) for one in batch])
        round_.sent += len(self._unsent)
        self._unsent.clear()

    def _message(self, version: StoredVersion) -> str:
        event = resend_event(
            version,
            bucket=self._environment.location.bucket,
            region=self._s3.meta.region_name,
            source=SOURCE,
            principal=SOURCE,
        )
        return message_body(event)


def log_missing(stored: ObjectVersion, modified: str) -> None:
    """Write the line about an upload without an entry. Its key stays between S3 and the ledger."""
    logger.error("an upload has no entry", extra={"object_id": stored.object_id, "modified": modified})


def log_unbacked(fingerprint: bytes) -> None:
    """Write the line about a receipt without an object version."""
    logger.error("a receipt has no object version", extra={"fingerprint_begins": fingerprint.hex()})


def _identified(bucket: str, version: StoredVersion) -> ObjectVersion:
    return ObjectVersion(bucket=bucket, key=version.key, version_id=version.version_id)


def _key(version: ObjectVersion) -> bytes:
    return bytes.fromhex(version.object_id)[:KEY_BYTES]


def _receipt(item: Item) -> bytes:
    """Return the first bits of a receipt's fingerprint, if the entry says that there is one."""
    if item[schema.ENTRY]["S"].startswith(schema.REJECTED):
        return NO_RECEIPT
    return bytes.fromhex(item[schema.FINGERPRINT]["S"])[:KEY_BYTES]
