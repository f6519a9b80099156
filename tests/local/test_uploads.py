from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.contract.s3_events import LONGEST_KEY_BYTES
from tests.local.eventually import eventually
from tests.local.stack import MAX_RECEIPT_BYTES, DeployedStack, declared, png, sha256_base64
from tests.local.test_access import assert_denied


def test_file_sent_with_its_form_is_accepted_under_the_key_of_the_form(stack: DeployedStack) -> None:
    content = png()
    form = new_form(stack, content)

    sent = stack.post_form(form, content)

    assert sent.status == 204, sent
    entry = entry_under(stack, form["key"])
    assert entry["outcome"] == "ACCEPTED"
    assert entry["fingerprint"] == hashlib.sha256(content).hexdigest()


def test_form_for_bytes_that_were_accepted_is_refused_with_their_receipt(stack: DeployedStack) -> None:
    content = png()
    receipt = stack.entry_of(stack.upload("known.png", content))

    answer = stack.call("POST", "/uploads", body=declared(content))

    assert answer.status == 409
    known = (answer.json["fingerprint"], answer.json["recorded_at"])
    assert known == (receipt["fingerprint"], receipt["recorded_at"])
    assert "known.png" not in json.dumps(answer.json)


@pytest.mark.parametrize(("change", "code"), [(1, "EntityTooLarge"), (-1, "EntityTooSmall")])
def test_file_of_another_size_than_declared_is_refused_by_s3(
    stack: DeployedStack, change: int, code: str
) -> None:
    content = png(padding=2)

    sent = stack.post_form(new_form(stack, content), png(padding=2 + change))

    assert (sent.status, code in sent.text) == (400, True)


@pytest.mark.parametrize("field", ["key", "x-amz-checksum-sha256"])
def test_form_with_another_value_than_was_signed_is_refused_by_s3(stack: DeployedStack, field: str) -> None:
    content, other = png(), png()
    form = new_form(stack, content)
    form["fields"][field] = {"key": "elsewhere.png", "x-amz-checksum-sha256": sha256_base64(other)}[field]

    assert stack.post_form(form, other).status == 403


def test_form_without_its_checksum_is_refused_by_s3(stack: DeployedStack) -> None:
    content = png()
    form = new_form(stack, content)
    del form["fields"]["x-amz-checksum-sha256"]

    assert stack.post_form(form, content).status == 403


def test_form_is_not_made_for_a_file_over_the_largest_size(stack: DeployedStack) -> None:
    too_large = declared(png()) | {"size_bytes": MAX_RECEIPT_BYTES + 1}

    assert stack.call("POST", "/uploads", body=too_large).status == 413


@pytest.mark.claim("a caller can't tag an upload", section="Access to the API")
def test_caller_cannot_tag_an_upload(stack: DeployedStack) -> None:
    s3: Any = stack.caller.client("s3")
    upload = stack.upload("untagged.png", png())
    place = {"Bucket": stack.bucket, "Key": upload.key}
    tags: Any = {"TagSet": [{"Key": "a", "Value": "b"}]}

    assert_denied(lambda: s3.put_object(**place, Body=png(), Tagging="a=b"))
    assert_denied(lambda: s3.create_multipart_upload(**place, Tagging="a=b"))
    assert_denied(lambda: s3.put_object_tagging(**place, Tagging=tags))
    assert_denied(lambda: s3.put_object_tagging(**place, VersionId=upload.version_id, Tagging=tags))
    assert_denied(lambda: s3.delete_object_tagging(**place))


@pytest.mark.claim("S3 takes keys of up to 1,024 bytes, and refuses longer ones", section="Access to the API")
@pytest.mark.parametrize("letter", ["k", "é"])
def test_key_that_is_too_long_is_refused_by_s3(stack: DeployedStack, letter: str) -> None:
    s3: Any = stack.caller.client("s3")
    folder = "long/"
    longest = folder + letter * ((LONGEST_KEY_BYTES - len(folder)) // len(letter.encode()))
    place = {"Bucket": stack.bucket, "Key": longest + letter}

    stack.entry_of(stack.upload(longest, png()))
    with pytest.raises(ClientError, match="KeyTooLong"):
        s3.put_object(**place, Body=png())
    with pytest.raises(ClientError, match="KeyTooLong"):
        s3.create_multipart_upload(**place)


def test_declaration_with_mistakes_is_refused_naming_all_of_them(stack: DeployedStack) -> None:
    wrong = {"filename": "", "size_bytes": 0, "fingerprint": "x"}

    answer = stack.call("POST", "/uploads", body=wrong)

    assert answer.status == 400
    assert {error["field"] for error in answer.json["errors"]} == set(wrong)


def new_form(stack: DeployedStack, content: bytes) -> dict[str, Any]:
    answer = stack.call("POST", "/uploads", body=declared(content))
    assert answer.status == 201, answer
    form: dict[str, Any] = answer.json
    return form


def entry_under(stack: DeployedStack, key: str) -> dict[str, Any]:
    return eventually(
        f"an entry for {key}", lambda: next((entry for entry in stack.entries() if entry["key"] == key), None)
    )
