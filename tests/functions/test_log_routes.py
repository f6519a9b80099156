from __future__ import annotations

import base64
import io
import json
import runpy
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from functions.api.responses import respond
from functions.contract.entry import Entry, Outcome
from functions.contract.environment import ReaderEnvironment
from functions.ledger.lookup import History
from functions.reader.log_routes import log_routes
from functions.reader.sealed_log import MOST_BATCHES, SealedLog
from functions.sealing.leaf import Leaf, leaf_of
from functions.sealing.note import Checkpoint, VerifierKey, sign
from functions.sealing.proof import Proof
from functions.sealing.tiles import bundle_path, encode_bundle, tile_path
from functions.sealing.tree import Edge, leaf_hash
from tests.functions.examples import MODIFIED, context, entry
from tests.functions.http_events import http_event
from tests.functions.test_environment import GOOD

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = VerifierKey(name="log.example", public_key=bytes(32))
FIRST = MODIFIED


@dataclass(frozen=True, kw_only=True)
class Got:
    """A response, with its body as bytes or as JSON."""

    status: int
    headers: dict[str, str]
    body: Any


class Bucket:
    """The log's bucket, with what a sealer has written for each batch, and every key that was read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.leaves: list[bytes] = []
        self.read: list[str] = []

    def seal(self, entries: Sequence[Entry], sealed_at: Any) -> None:
        order = sorted(entries, key=lambda each: (each.recorded_at, each.upload.version.object_id))
        self.leaves += [leaf_of(each, sealed_at).encode() for each in order]
        edge = Edge()
        tiles = [*edge.append(map(leaf_hash, self.leaves)), *edge.partial_tiles()]
        self.objects |= {tile_path(tile.level, tile.index, tile.width): tile.data for tile in tiles}
        for number in range(-(-len(self.leaves) // 256)):
            some = self.leaves[256 * number :][:256]
            self.objects[bundle_path(number, len(some))] = encode_bundle(some)
        checkpoint = Checkpoint(origin=KEY.name, size=len(self.leaves), root=edge.root())
        self.objects["checkpoint"] = sign(checkpoint.text, KEY, lambda _: bytes(64)).encode()

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        assert Bucket == "log"
        self.read.append(Key)
        if Key not in self.objects:
            answer = {"Error": {"Code": "NoSuchKey"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(cast("Any", answer), "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}


def made(number: int, seconds: float = 0.0, outcome: Outcome = Outcome.ACCEPTED) -> Entry:
    return entry(f"receipt-{number}", FIRST + timedelta(seconds=seconds), outcome)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def ask(bucket: Bucket, path: str, query: str = "", history: Sequence[Entry] = ()) -> Got:
    def read_history(fingerprint: str, limit: int) -> History:
        found = [each for each in history if each.fingerprint == fingerprint][:limit]
        return History(
            receipt=next((each for each in found if each.outcome is Outcome.ACCEPTED), None),
            duplicates=[each for each in found if each.outcome is Outcome.DUPLICATE],
            rejections=[each for each in found if each.outcome is Outcome.REJECTED],
            truncated=False,
        )

    routes = log_routes(read_history=read_history, log=SealedLog(lambda: cast("Any", bucket), "log"))
    response = respond(routes, http_event("GET", path, query))
    data: Any = response["body"]
    body = base64.b64decode(data) if response["isBase64Encoded"] else json.loads(data)
    return Got(status=response["statusCode"], headers=response["headers"], body=body)


def proof_of(bucket: Bucket, wanted: Entry, *others: Entry, query: str = "") -> Got:
    return ask(bucket, f"/receipts/{wanted.fingerprint}/proof", query, [wanted, *others])


@pytest.mark.parametrize("sizes", [(1,), (1, 1, 1), (255, 1), (256, 257), (700, 3, 40)])
def test_each_entry_is_proven_to_be_the_leaf_that_was_sealed(bucket: Bucket, sizes: tuple[int, ...]) -> None:
    sealed: list[Entry] = []
    for minute, size in enumerate(sizes):
        batch = [made(len(sealed) + at, 60 * minute + at % 30) for at in range(size)]
        bucket.seal(batch, FIRST + timedelta(seconds=60 * minute + 61))
        sealed += batch

    for wanted in sealed[:: max(1, len(sealed) // 40)]:
        answer = proof_of(bucket, wanted)

        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        proof = Proof.parse(answer.body.decode())
        assert proof.leads_to_root()
        assert Leaf.parse(proof.leaf).object_id == wanted.upload.version.object_id
        assert proof.checkpoint.encode() == bucket.objects["checkpoint"]


def test_a_proof_reads_few_bundles_of_a_large_log(bucket: Bucket) -> None:
    entries = [made(number, number / 100) for number in range(20_000)]
    for minute in range(4):
        bucket.seal(entries[5_000 * minute :][:5_000], FIRST + timedelta(seconds=60 * minute + 60))
    bucket.read.clear()

    assert proof_of(bucket, entries[7_777]).status == 200
    assert len([key for key in bucket.read if "entries" in key]) <= 12
    assert len(bucket.read) == len({*bucket.read})


def test_duplicates_and_rejections_are_proven_by_their_object_ids(bucket: Bucket) -> None:
    receipt = made(1)
    duplicate = replace(made(2, 1.0, Outcome.DUPLICATE), fingerprint=receipt.fingerprint)
    rejection = replace(made(3, 2.0, Outcome.REJECTED), fingerprint=receipt.fingerprint)
    bucket.seal([receipt, duplicate, rejection], FIRST + timedelta(minutes=1))

    for each in (receipt, duplicate, rejection):
        object_id = each.upload.version.object_id
        answer = proof_of(bucket, receipt, duplicate, rejection, query=f"object_id={object_id}")
        assert Leaf.parse(Proof.parse(answer.body.decode()).leaf).object_id == object_id


@pytest.mark.parametrize("is_empty", [True, False])
def test_entry_that_is_not_sealed_yet_comes_with_202_and_when_to_ask_again(
    bucket: Bucket, *, is_empty: bool
) -> None:
    if not is_empty:
        bucket.seal([made(1)], FIRST + timedelta(minutes=1))

    answer = proof_of(bucket, made(2, 90.0))

    assert (answer.status, answer.body) == (202, {"sealed": False})
    assert answer.headers["retry-after"] == "60"


def test_entry_that_is_not_among_those_sealed_in_time_is_told_as_late(bucket: Bucket) -> None:
    late = made(1)
    for minute in range(MOST_BATCHES + 2):
        bucket.seal([made(10 + minute, 60.0 * minute)], FIRST + timedelta(minutes=minute + 1))
    bucket.seal([late], FIRST + timedelta(minutes=MOST_BATCHES + 5))

    answer = proof_of(bucket, late)

    assert (answer.status, answer.body["type"]) == (409, "/problems/sealed-late")


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        (f"/receipts/{'0' * 64}/proof", "", 404, "receipt-not-found"),
        (f"/receipts/{'0' * 64}/proof", f"object_id={'1' * 64}", 404, "receipt-not-found"),
        (f"/receipts/{'0' * 64}/proof", "object_id=x", 400, "invalid-parameter"),
        (f"/receipts/{'0' * 64}/proof", "version=x", 400, "invalid-parameter"),
        ("/receipts/x/proof", "", 400, "invalid-parameter"),
        ("/log/checkpoint", "", 404, "log-path-not-found"),
        ("/log/tile/0/999", "", 404, "log-path-not-found"),
        ("/log/staging/1-00", "", 404, "log-path-not-found"),
        ("/log/checkpoints/1", "", 404, "log-path-not-found"),
        ("/log/tile/0/../../staging/1-00", "", 404, "log-path-not-found"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_refused(
    bucket: Bucket, path: str, query: str, status: int, said: str
) -> None:
    bucket.objects |= {"staging/1-00": b"secret", "checkpoints/1": b"old"}

    answer = ask(bucket, path, query)

    assert (answer.status, answer.body["type"]) == (status, f"/problems/{said}")
    assert not [key for key in bucket.read if key.startswith(("staging", "checkpoints"))]


def test_files_of_the_log_are_served_as_they_are(bucket: Bucket) -> None:
    bucket.seal([made(number, number / 10) for number in range(300)], FIRST + timedelta(minutes=1))

    for path in ("checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/001.p/44"):
        answer = ask(bucket, f"/log/{path}")
        assert (answer.status, answer.body) == (200, bucket.objects[path])
        assert ("immutable" in answer.headers["cache-control"]) == (path != "checkpoint")


def test_a_client_of_s3_is_only_made_once_the_log_is_read(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[str] = []
    bucket.seal([made(0, 0)], FIRST + timedelta(seconds=61))

    def client(service: str, **_: Any) -> Any:
        clients.append(service)
        return bucket if service == "s3" else object()

    monkeypatch.setattr("boto3.client", client)
    for name, value in GOOD[ReaderEnvironment].items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "functions.reader.handler", raising=False)  # another test's
    handle = runpy.run_module("functions.reader.handler")["handle"]
    assert clients == ["dynamodb"]

    for _ in range(2):
        assert handle(http_event("GET", "/log/checkpoint"), context())["statusCode"] == 200
    assert clients == ["dynamodb", "s3"]
