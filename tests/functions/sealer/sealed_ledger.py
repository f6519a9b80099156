"""A ledger and its log in memory, sealers whose calls a test can break, and a check of the whole log."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from functions.contract import schema
from functions.contract.environment import SealerEnvironment, read_environment, write_environment
from functions.sealer.sealed_keys import key_of
from functions.sealer.sealer import Sealer
from functions.sealing.leaf import Leaf
from functions.sealing.note import VerifierKey
from tests.functions.examples import entry
from tests.functions.sealer.memory import MemoryDynamoDb, MemoryS3
from tests.log_check import checked_leaves

if TYPE_CHECKING:
    from functions.contract.entry import Entry

SHARDS = 3
OVERLAP = timedelta(minutes=2)
SETTLED_AFTER = timedelta(seconds=30)
START = datetime(2027, 1, 31, 23, 50, tzinfo=UTC)
"""Ten minutes before a new month."""


class CrashError(Exception):
    """The sealer was killed."""


class FakeKms:
    """Signs as KMS does, with a key that is always the same."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.signed: list[bytes] = []

    def sign(self, **request: Any) -> dict[str, Any]:
        assert (request["MessageType"], request["SigningAlgorithm"]) == ("RAW", "ED25519_SHA_512")
        self.signed.append(request["Message"])
        return {"Signature": self.key.sign(request["Message"])}


@dataclass(kw_only=True)
class Calls:
    """The calls of one sealer, in order. `before` and `after` may raise, and are called with their number."""

    made: list[str] = field(default_factory=list)
    before: Callable[[int, str], None] = lambda *_: None
    after: Callable[[int, str], None] = lambda *_: None
    changed: Callable[[str, Any], Any] = lambda _, answer: answer


class Watched:
    """A client whose calls are noted, and made one at a time, since AWS's conditions are atomic."""

    lock = threading.RLock()

    def __init__(self, client: Any, calls: Calls) -> None:
        self._client = client
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._client, name)
        if name == "exceptions":
            return called

        def call(**request: Any) -> Any:
            label = " ".join([name, *re.findall(r"^[a-z]+", str(request.get("Key", "")))])
            with self.lock:
                number = len(self._calls.made)
                self._calls.made.append(label)
            self._calls.before(number, label)
            try:
                with self.lock:
                    return self._calls.changed(name, called(**request))
            finally:
                self._calls.after(number, label)

        return call


class SealedLedger:
    """A ledger, its log, and sealers, each as in an execution environment of its own."""

    def __init__(self, **environment: Any) -> None:
        self.dynamodb, self.s3, self.kms = MemoryDynamoDb(), MemoryS3(), FakeKms()
        self.verifier_key = VerifierKey(
            name="log.example", public_key=self.kms.key.public_key().public_bytes_raw()
        )
        self.now = START
        self.environment = read_environment(
            SealerEnvironment,
            write_environment(
                SealerEnvironment,
                **{
                    "service": "sealer",
                    "stack": "test",
                    "ledger_table": "ledger",
                    "ledger_shards": SHARDS,
                    "overlap_seconds": int(OVERLAP.total_seconds()),
                    "log_bucket": "log",
                    "lock_table": "lock",
                    "public_key": str(self.verifier_key),
                    "signing_key": "key",
                    "lock_mode": "governance",
                    "lock_days": 30,
                    **environment,
                },
            ),
        )
        self.sealer = self.new_sealer()
        self._keys = itertools.count()

    def new_sealer(self, calls: Calls | None = None, **more: Any) -> Sealer:
        calls = calls or Calls()
        dynamodb, s3, kms = (Watched(client, calls) for client in (self.dynamodb, self.s3, self.kms))
        clients: dict[str, Any] = {"dynamodb": dynamodb, "s3": s3, "kms": kms}
        return Sealer(**clients, environment=self.environment, now=lambda: self.now, **more)

    def record(self, number: int = 1, ago: timedelta = timedelta(minutes=1)) -> list[Entry]:
        """Record entries, the first of them so long ago, and each a bit later than the one before."""
        made = []
        for index in range(number):
            moment = self.now - ago + timedelta(microseconds=index)
            made.append(entry(f"receipt-{next(self._keys)}.png", moment))
            self.put(schema.to_item(made[-1], SHARDS))
        return made

    def put(self, item: Any) -> None:
        self.dynamodb.put_item(TableName="ledger", Item=item)

    def run(self, sealer: Sealer | None = None, *, may_go_on: bool = True) -> dict[str, Any]:
        return (sealer or self.sealer).run(lambda: may_go_on, SETTLED_AFTER)

    def later(self, by: timedelta = timedelta(minutes=1)) -> None:
        self.now += by

    def read(self, key: str) -> bytes:
        data: bytes = self.s3.objects[key]["data"]
        return data

    def objects(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self.s3.objects if key.startswith(prefix))

    def leaves(self) -> list[Leaf]:
        return checked_leaves(self.read, self.objects(), self.verifier_key)


def sealed_keys(leaves: list[Leaf]) -> list[str]:
    return [key_of(leaf.encode()) for leaf in leaves]


def keys_of(entries: list[Entry]) -> list[str]:
    return [schema.recorded_key(each.recorded_at, each.upload.version) for each in entries]
