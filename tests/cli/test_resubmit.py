from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.contract import schema
from functions.contract.entry import ObjectVersion, Outcome, Reason
from tests.cli.conftest import ChangeCall, Run, denied
from tests.cli.operated_stack import BUCKET, LONG_AGO, TABLE, OperatedStack

if TYPE_CHECKING:
    from collections.abc import Callable

UNSUPPORTED, TOO_LARGE = Reason.UNSUPPORTED_TYPE, Reason.TOO_LARGE
LATER = LONG_AGO + timedelta(hours=1)


def fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def rejected(
    operated: OperatedStack, key: str, reason: Reason = UNSUPPORTED, content: bytes = b"avif", **options: Any
) -> ObjectVersion:
    """Upload an object, and record it as rejected."""
    version = operated.upload(key, content, **options)
    read = {"fingerprint": fingerprint(content), "size_bytes": len(content)}
    operated.record(
        version,
        reason=reason,
        uploaded_at=LONG_AGO,
        **(read if reason is UNSUPPORTED else {"size_bytes": len(content)}),
    )
    return version


def versions(operated: OperatedStack, key: str) -> list[str]:
    """The ids of a key's object versions, oldest first."""
    listed = operated.s3.list_object_versions(Bucket=BUCKET, Prefix=key)
    return [each["VersionId"] for each in listed.get("Versions", ()) if each["Key"] == key][::-1]


def resubmitted(operator: Run, *arguments: str) -> tuple[int, dict[str, Any]]:
    ran = operator("resubmit", "--json", *arguments)
    assert ran.out, ran.err
    return ran.code, json.loads(ran.out)


@pytest.fixture
def uploads(operated: OperatedStack) -> dict[str, ObjectVersion]:
    """Rejected uploads and others."""
    operated.record(operated.upload("accepted.png"))
    gone = ObjectVersion(bucket=BUCKET, key="gone.png", version_id="x")
    operated.record(gone, reason=Reason.OBJECT_MISSING)
    operated.dynamodb.put_item(TableName=TABLE, Item=schema.missing_note(gone, LONG_AGO))
    return {
        "größe + 1%.avif": rejected(operated, "größe + 1%.avif"),
        "b.avif": rejected(operated, "b.avif", content=b"b"),
        "large.png": rejected(operated, "large.png", TOO_LARGE),
    }


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["--reason", "unsupported_type"], {"größe + 1%.avif", "b.avif"}),
        (["--reason", "too_large"], {"large.png"}),
        (["--reason", "empty"], set()),
        (["b.avif"], {"b.avif"}),
        ([fingerprint(b"b")], {"b.avif"}),
        ([fingerprint(b"b").upper()], {"b.avif"}),
        (["accepted.png"], set()),
        (["gone.png"], set()),
        (["b.avi"], set()),
    ],
)
def test_what_was_rejected_is_copied_onto_its_own_key(
    operator: Run,
    operated: OperatedStack,
    uploads: dict[str, ObjectVersion],
    arguments: list[str],
    keys: set[str],
) -> None:
    code, report = resubmitted(operator, *arguments)

    assert (code, report["copied"], report["totals"]["chosen"]) == (0, len(keys), len(keys))
    for key, first in uploads.items():
        assert versions(operated, key)[0] == first.version_id
        assert len(versions(operated, key)) == 1 + (key in keys)
    lines = [(line["message"], line["subject"]) for line in operated.logged()]
    said = ("rejected uploads will be copied", "rejected uploads copied") if keys else ()
    assert lines == [(one, arguments[-1]) for one in said]


def test_copy_is_of_that_version_and_keeps_what_s3_knows_about_it(
    operator: Run, operated: OperatedStack
) -> None:
    known: dict[str, Any] = {
        "ContentType": "image/avif",
        "ContentDisposition": "inline",
        "CacheControl": "no-store",
        "Metadata": {"caller": "principal=arn:aws:iam::1:user/erika", "note": "x"},
    }
    first = rejected(operated, "a.avif", content=b"first", **known)
    other = operated.upload("a.avif", b"other bytes")
    operated.record(other, uploaded_at=LATER, fingerprint=fingerprint(b"other bytes"), size_bytes=11)

    assert resubmitted(operator, "a.avif")[0] == 0

    copied = operated.s3.get_object(Bucket=BUCKET, Key="a.avif")
    assert copied["VersionId"] not in {first.version_id, other.version_id}
    assert copied["Body"].read() == b"first"
    assert {name: copied[name] for name in known} == known  # type: ignore[literal-required]


@pytest.mark.parametrize(
    ("reason", "later", "copied"),
    [
        (UNSUPPORTED, {"fingerprint": fingerprint(b"avif"), "size_bytes": 4}, 0),
        (UNSUPPORTED, {"fingerprint": None, "size_bytes": 4, "reason": TOO_LARGE}, 0),
        (UNSUPPORTED, {"fingerprint": fingerprint(b"else"), "size_bytes": 4}, 1),
        (TOO_LARGE, {"fingerprint": fingerprint(b"avif"), "size_bytes": 4}, 0),
        (TOO_LARGE, {"fingerprint": fingerprint(b"other"), "size_bytes": 5}, 1),
        (UNSUPPORTED, {"fingerprint": fingerprint(b"avif"), "size_bytes": 4, "uploaded_at": LONG_AGO}, 1),
    ],
    ids=[
        "same bytes",
        "same size, unread",
        "other bytes",
        "unread, same size",
        "unread, other size",
        "earlier",
    ],
)
def test_what_was_judged_later_is_not_copied_again(
    operator: Run, operated: OperatedStack, reason: Reason, later: dict[str, Any], copied: int
) -> None:
    rejected(operated, "a.avif", reason)
    again = operated.upload("a.avif", b"x")
    operated.record(again, **{"uploaded_at": LATER, "outcome": Outcome.ACCEPTED, **later})

    _, report = resubmitted(operator, "--reason", reason)

    assert report["copied"] == copied
    assert report["totals"]["judged_later"] == report["totals"]["rejected"] - copied


def test_another_key_does_not_count_as_later(operator: Run, operated: OperatedStack) -> None:
    rejected(operated, "a.avif")
    operated.record(
        operated.upload("b.avif", b"avif"), uploaded_at=LATER, fingerprint=fingerprint(b"avif"), size_bytes=4
    )

    assert resubmitted(operator, "a.avif")[1]["copied"] == 1


def test_only_the_stack_s_own_place_is_looked_at(operator: Run, operated: OperatedStack) -> None:
    operated.rewrite_outputs(upload_prefix="in/")
    rejected(operated, "out.avif")
    rejected(operated, "in/a.avif")

    _, report = resubmitted(operator, "--reason", "unsupported_type")

    assert (report["totals"]["rejected"], len(versions(operated, "out.avif"))) == (1, 1)
    assert len(versions(operated, "in/a.avif")) == 2


def test_dry_run_lists_and_copies_nothing(
    operator: Run, operated: OperatedStack, uploads: dict[str, ObjectVersion]
) -> None:
    code, report = resubmitted(operator, "--reason", "unsupported_type", "--dry-run")

    assert (code, report["copied"]) == (0, 0)
    assert {one["key"] for one in report["versions"]} == {"größe + 1%.avif", "b.avif"}
    assert all(len(versions(operated, key)) == 1 for key in uploads)
    ran = operator("resubmit", "--reason", "unsupported_type", "--dry-run")
    assert "rejected object versions: 2 = 0 judged later + 2 would be copied (dry run)" in ran.out
    assert ran.out.count("unsupported_type") == 2


def archived(_: Callable[..., Any], **__: Any) -> None:
    error: Any = {
        "Error": {"Code": "InvalidObjectState", "Message": "it is in an archive"},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    raise ClientError(error, "CopyObject")


def test_what_cannot_be_copied_is_named_and_the_rest_is_copied(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    for key in ("a.avif", "archived.avif", "gone.avif"):
        version = rejected(operated, key, content=key.encode())
    operated.s3.delete_object(Bucket=BUCKET, Key="gone.avif", VersionId=version.version_id)
    change_call(
        "s3",
        "copy_object",
        lambda call, **call_with: (archived if call_with["Key"] == "archived.avif" else call)(
            *([call] if call_with["Key"] == "archived.avif" else []), **call_with
        ),
    )

    ran = operator("resubmit", "--reason", "unsupported_type")

    assert ran.code == 1
    assert "it is in an archive (InvalidObjectState)" in ran.out
    assert "3 = 0 judged later + 1 copied + 1 gone + 1 not copied" in ran.out
    assert len(versions(operated, "a.avif")) == 2


def test_larger_than_one_copy_is_refused(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    rejected(operated, "a.avif", TOO_LARGE)
    change_call(
        "s3", "head_object", lambda call, **asked: {**call(**asked), "ContentLength": 5 * 1024**3 + 1}
    )

    code, report = resubmitted(operator, "a.avif")

    assert (code, report["failed"], len(versions(operated, "a.avif"))) == (1, 1, 1)
    assert "at most 5,368,709,120 bytes" in report["failures"][0]["detail"]


@pytest.mark.parametrize(
    ("call", "permission"), [("head_object", "s3:GetObjectVersion"), ("copy_object", "s3:PutObject")]
)
def test_missing_permission_is_named(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, call: str, permission: str
) -> None:
    rejected(operated, "a.avif")
    change_call("s3", call, denied)

    _, report = resubmitted(operator, "a.avif")

    assert permission in report["failures"][0]["detail"]
    assert "access denied" in report["failures"][0]["detail"]


@pytest.mark.parametrize("arguments", [[], ["a.avif", "--reason", "empty"]])
def test_either_a_subject_or_a_reason_is_needed(operator: Run, arguments: list[str]) -> None:
    assert "give either KEY|FINGERPRINT or --reason" in operator("resubmit", *arguments).error(2)


@pytest.mark.parametrize("reason", ["object_missing", "no_such_reason"])
def test_reason_that_leaves_nothing_to_copy_is_refused(operator: Run, reason: str) -> None:
    assert "--reason" in operator("resubmit", "--reason", reason).error(2)
