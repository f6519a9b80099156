from __future__ import annotations

import hashlib
import json
import sqlite3
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, FlexibleChecksumError, ReadTimeoutError
from botocore.response import StreamingBody

from functions.contract.entry import ObjectVersion, Reason
from tests.cli.conftest import ChangeCall, Run, denied
from tests.cli.operated_stack import BUCKET, LONG_AGO, TABLE, OperatedStack

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

READ = ("reconcile", "--age", "0", "--read")
Get = Callable[..., "GetObjectOutputTypeDef"]


def recorded(operated: OperatedStack, key: str, content: bytes, **changes: Any) -> ObjectVersion:
    """Upload an object, and record it with the fingerprint of its bytes."""
    version = operated.upload(key, content)
    fingerprint = hashlib.sha256(content).hexdigest()
    operated.record(version, **{"fingerprint": fingerprint, "size_bytes": len(content), **changes})
    return version


def read(operator: Run, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    ran = operator(*READ, "--json", *arguments)
    assert ran.out, ran.err
    return ran.code, json.loads(ran.out)


@pytest.fixture
def receipts(operated: OperatedStack) -> list[ObjectVersion]:
    """Twenty receipts, of 1 to 20 bytes."""
    return [recorded(operated, f"{size}.png", b"x" * size) for size in range(1, 21)]


@pytest.fixture
def gets(change_call: ChangeCall) -> list[str]:
    """The keys of the objects that are read."""
    keys: list[str] = []

    def get(original: Get, **parameters: Any) -> Any:
        keys.append(parameters["Key"])
        return original(**parameters)

    change_call("s3", "get_object", get)
    return keys


@pytest.mark.usefixtures("receipts")
@pytest.mark.usefixtures("_every_step_is_a_line")
def test_whole_bucket_is_read_and_the_cost_is_told_before(operator: Run, gets: list[str]) -> None:
    ran = operator(*READ, "--seed", "abc")

    assert ran.code == 0
    assert "reading 20 object versions: 20 GET requests, 210 B; seed abc" in ran.err
    assert "bytes read: 210 of 210" in ran.err
    assert "object versions read: 20, 210 B; left out, as read by earlier runs: 0; seed abc" in ran.out
    assert sorted(gets) == sorted(f"{size}.png" for size in range(1, 21))


@pytest.mark.claim(
    "`bill-e reconcile --read` names an entry with another fingerprint than the bytes in the bucket have",
    section="Hostile input",
)
def test_file_with_other_bytes_is_named_and_exit_code_1(operator: Run, operated: OperatedStack) -> None:
    recorded(operated, "true.png", b"true")
    false = recorded(operated, "false.png", b"other", fingerprint="0" * 64)

    code, report = read(operator)

    assert (code, report["totals"]["file_differs"], report["confirmed"]) == (1, 1, False)
    (finding,) = report["file_differs"]
    assert (finding["key"], finding["version_id"]) == ("false.png", false.version_id)
    assert finding["detail"] == f"its bytes have the SHA-256 {hashlib.sha256(b'other').hexdigest()}"
    assert operator("reconcile", "--age", "0").code == 0


def test_entries_without_a_fingerprint_and_versions_without_an_id_are_not_read(
    operator: Run, operated: OperatedStack, gets: list[str]
) -> None:
    operated.record(operated.upload("large.png", b"large"), reason=Reason.TOO_LARGE, size_bytes=5)
    recorded(operated, "read.png", b"read")

    assert read(operator)[0] == 0
    assert gets == ["read.png"]


def refusing(code: str, message: str = "no") -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> None:
        error: Any = {"Error": {"Code": code, "Message": message}}
        raise ClientError(error, "GetObject")

    return refuse


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidObjectState", "in an archive"),
        ("KMS.DisabledException", "the key is disabled"),
        ("AccessDenied", "not authorized to perform: kms:Decrypt on the resource"),
        ("InvalidRequest", "The object was stored using a form of Server Side Encryption"),
    ],
)
def test_object_that_s3_does_not_return_is_unreadable(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, code: str, message: str
) -> None:
    recorded(operated, "a.png", b"a")
    change_call("s3", "get_object", refusing(code, message))

    ended, report = read(operator)

    assert (ended, report["totals"]["unreadable"]) == (1, 1)
    assert report["unreadable"][0]["detail"] == f"S3 doesn't return it: {message} ({code})"


@pytest.mark.parametrize("code", ["NoSuchVersion", "NoSuchKey", "404"])
def test_object_that_was_deleted_since_the_listing_is_unknown(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, code: str
) -> None:
    # Of what was uploaded after the listing began, nothing is judged.
    recorded(operated, "a.png", b"a", uploaded_at=LONG_AGO)
    change_call("s3", "get_object", refusing(code))

    report = read(operator)[1]

    assert [one["detail"] for one in report["unknown"]] == ["deleted since the bucket was listed"]


def test_missing_permission_ends_the_run_and_is_named(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    recorded(operated, "a.png", b"a")
    change_call("s3", "get_object", denied)

    said = operator(*READ).error()

    assert "(s3:GetObjectVersion, and kms:Decrypt with a customer's key): access denied" in said
    assert "operator_policy" not in said


@pytest.mark.parametrize(
    "failure",
    [
        FlexibleChecksumError(error_msg="no match"),
        ReadTimeoutError(endpoint_url="https://s3.example.com", error="late"),
    ],
    ids=["other bytes arrived", "no bytes arrived"],
)
def test_object_is_read_again_if_its_bytes_do_not_arrive(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, failure: Exception
) -> None:
    recorded(operated, "a.png", b"a")
    failures = [failure, failure]

    def get(original: Get, **parameters: Any) -> Any:
        if failures:
            raise failures.pop()
        return original(**parameters)

    change_call("s3", "get_object", get)

    assert read(operator)[0] == 0
    assert failures == []


def test_bytes_that_never_match_the_stored_checksum_differ(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    recorded(operated, "a.png", b"a")

    def get(*_: Any, **__: Any) -> None:
        raise FlexibleChecksumError(error_msg="no match")

    change_call("s3", "get_object", get)

    assert [one["detail"] for one in read(operator)[1]["file_differs"]] == [
        "its bytes don't match the checksum that S3 stored"
    ]


@pytest.mark.usefixtures("receipts")
def test_sample_is_random_and_the_same_for_the_same_seed(operator: Run, gets: list[str]) -> None:
    def sampled(*arguments: str) -> set[str]:
        gets.clear()
        assert read(operator, *arguments)[0] == 0
        return set(gets)

    five = sampled("--sample", "5", "--seed", "a")
    assert len(five) == 5
    assert sampled("--sample", "5", "--seed", "a") == five
    assert five < sampled("--sample", "9", "--seed", "a")
    assert sampled("--sample", "5", "--seed", "b") != five
    # Version ids are random, and so are ranks: parts so far apart differ in all but one run of 5,000.
    quarter = sampled("--sample", "25%", "--seed", "a")
    assert quarter < sampled("--sample", "60%", "--seed", "a") < sampled("--sample", "100%")
    assert len(sampled("--sample", "0.001%", "--seed", "a")) == 1
    _, first = read(operator, "--sample", "5")
    assert first["read"]["seed"] != read(operator, "--sample", "5")[1]["read"]["seed"]


@pytest.mark.usefixtures("receipts")
def test_interrupted_run_is_resumed_with_what_is_left(
    operator: Run, change_call: ChangeCall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill: the end of the run writes nothing."""
    monkeypatch.setattr("cli.operator.read_state.COMMIT_SECONDS", 0)
    monkeypatch.setattr("cli.operator.object_reading.READERS", 1)
    state, keys, before_the_kill = tmp_path / "read.state", list[str](), [True] * 7

    def get(original: Get, **parameters: Any) -> Any:
        if not before_the_kill:
            raise KeyboardInterrupt
        before_the_kill.pop()
        keys.append(parameters["Key"])
        return original(**parameters)

    change_call("s3", "get_object", get)
    with monkeypatch.context() as killed:
        killed.setattr("cli.operator.read_state.ReadState.close", lambda _: None)
        assert operator(*READ, "--state", state).code == 130
    first = set(keys)

    keys.clear()
    before_the_kill += [True] * 13
    code, report = read(operator, "--state", state)

    assert code == 0
    assert (report["read"]["read"], report["read"]["read_before"]) == (13, 7)
    assert set(keys) == {f"{size}.png" for size in range(1, 21)} - first


def test_what_was_wrong_or_has_another_entry_is_read_again(
    operator: Run, operated: OperatedStack, gets: list[str], tmp_path: Path
) -> None:
    recorded(operated, "false.png", b"other", fingerprint="0" * 64)
    changed = recorded(operated, "changed.png", b"same")
    recorded(operated, "same.png", b"stays")
    state = tmp_path / "read.state"
    assert read(operator, "--state", state)[0] == 1
    gets.clear()

    entry = operated.dynamodb.scan(TableName=TABLE)["Items"]
    for item in entry:
        if item["key"] == {"S": "changed.png"}:
            key: Any = {"fingerprint": item["fingerprint"], "entry": item["entry"]}
            operated.dynamodb.delete_item(TableName=TABLE, Key=key)
    operated.record(changed, fingerprint="1" * 64, size_bytes=4)
    code, report = read(operator, "--state", state)

    assert (code, sorted(gets)) == (1, ["changed.png", "false.png"])
    assert sorted(one["key"] for one in report["file_differs"]) == ["changed.png", "false.png"]
    assert report["read"]["read_before"] == 1


@pytest.mark.usefixtures("receipts")
def test_state_keeps_the_seed_of_a_sample(operator: Run, tmp_path: Path) -> None:
    state = tmp_path / "read.state"
    first = read(operator, "--state", state, "--sample", "5")[1]["read"]

    again = read(operator, "--state", state, "--sample", "5")[1]["read"]

    assert (again["read"], again["read_before"], again["seed"]) == (0, 5, first["seed"])


def test_state_of_another_stack_is_refused(operator: Run, tmp_path: Path) -> None:
    state = tmp_path / "read.state"
    assert read(operator, "--state", state)[0] == 0
    with sqlite3.connect(state) as database:
        database.execute("UPDATE stack SET bucket = 'another'")

    said = operator(*READ, "--state", state).error()

    assert f"is about bucket another and ledger {TABLE}, not about {BUCKET} and {TABLE}" in said


@pytest.mark.parametrize("content", [b"no database, but text " * 100, None], ids=["text", "a folder"])
def test_state_that_cannot_be_used_is_told(operator: Run, tmp_path: Path, content: bytes | None) -> None:
    state = tmp_path / "read.state"
    if content is None:
        state.mkdir()
    else:
        state.write_bytes(content)

    assert f"the state {state} can't be used" in operator(*READ, "--state", state).error()
    assert content is None or state.read_bytes() == content


class Zeros:
    """A body of this size that is in no memory."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes

    def read(self, most: int) -> bytes:
        given = min(most, self._left)
        self._left -= given
        return bytes(given)

    def close(self) -> None:
        """Nothing is open."""


def test_memory_does_not_grow_with_an_object(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    size_bytes = 64 * 1024 * 1024
    recorded(operated, "a.png", b"a", fingerprint=hashlib.sha256(bytes(size_bytes)).hexdigest())
    change_call(
        "s3",
        "get_object",
        lambda *_, **__: {"Body": StreamingBody(cast("Any", Zeros(size_bytes)), size_bytes)},
    )
    tracemalloc.start()
    try:
        assert operator(*READ).code == 0
        # The clients alone take 18 MB.
        assert tracemalloc.get_traced_memory()[1] < size_bytes / 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--sample", "5"], ["--seed", "x"], ["--state", "f"], ["--read", "--sample", "0"]),
        *(["--read", "--sample", "101%"], ["--read", "--sample", "0%"], ["--read", "--sample", "x"]),
    ],
)
def test_wrong_use_is_told(operator: Run, arguments: list[str]) -> None:
    assert operator("reconcile", *arguments).code == 2
