from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from local import REPOSITORY
from local.queues import depth, processor_held, redelivery_after
from tests.local.eventually import eventually
from tests.local.stack import MAX_RECEIPT_BYTES, DeployedStack, declared, png

SAMPLES = REPOSITORY / "samples"
UPLOADS = 200
UPLOADERS = 16


def test_new_receipt_is_accepted_with_its_facts(stack: DeployedStack) -> None:
    content = png()

    uploaded = stack.upload("facts/receipt.png", content)

    entry = stack.entry_of(uploaded)
    assert entry["outcome"] == "ACCEPTED"
    assert entry["fingerprint"] == uploaded.fingerprint
    assert (entry["bucket"], entry["key"]) == (stack.bucket, "facts/receipt.png")
    assert (entry["size_bytes"], entry["media_type"]) == (len(content), "image/png")
    assert entry["uploader"]["source_ip"] == "127.0.0.1"
    assert entry["uploaded_at"] <= entry["recorded_at"]


@pytest.mark.parametrize("key", ["with space.png", "a+b.png", "100%.png", "Rechnung für Öl/領収書.png"])
def test_key_is_recorded_as_it_was_uploaded(stack: DeployedStack, key: str) -> None:
    assert stack.entry_of(stack.upload(key, png()))["key"] == key


def test_same_bytes_under_new_name_are_recorded_as_duplicate_of_the_first(stack: DeployedStack) -> None:
    content = png()
    first = stack.upload("renamed/before.png", content)
    assert stack.entry_of(first)["outcome"] == "ACCEPTED"

    second = stack.upload("renamed/after.png", content)

    entry = stack.entry_of(second)
    assert entry["outcome"] == "DUPLICATE"
    assert entry["duplicate_of"] == {"bucket": stack.bucket, "key": first.key, "version_id": first.version_id}


def test_of_the_same_bytes_uploaded_at_once_one_is_accepted_and_the_others_are_its_duplicates(
    stack: DeployedStack,
) -> None:
    content = png()
    # Once all are there, the processors start together, each with as many messages as it can take.
    with processor_held(stack), ThreadPoolExecutor(UPLOADERS) as pool:
        uploads = list(pool.map(lambda number: stack.upload(f"race/{number}.png", content), range(UPLOADS)))
    eventually("an empty queue", lambda: depth(stack).total == 0)

    entries = [entry for entry in stack.entries() if entry["fingerprint"] == uploads[0].fingerprint]

    assert {entry["version_id"] for entry in entries} == {uploaded.version_id for uploaded in uploads}
    assert Counter(entry["outcome"] for entry in entries) == {"ACCEPTED": 1, "DUPLICATE": UPLOADS - 1}
    (first,) = (entry for entry in entries if entry["outcome"] == "ACCEPTED")
    pointed_to = {name: first[name] for name in ("bucket", "key", "version_id")}
    assert all(entry["duplicate_of"] == pointed_to for entry in entries if entry is not first)


def test_receipt_that_was_deleted_for_good_is_restored_by_a_form(stack: DeployedStack) -> None:
    content = png()
    first = stack.upload("lost/first.png", content)
    stack.entry_of(first)
    assert stack.call("POST", "/uploads", body=declared(content)).status == 409

    delete = stack.administrator.client("s3").delete_object
    delete(Bucket=stack.bucket, Key=first.key)
    assert stack.call("POST", "/uploads", body=declared(content)).status == 409
    delete(Bucket=stack.bucket, Key=first.key, VersionId=first.version_id)
    form = stack.call("POST", "/uploads", body=declared(content))
    assert form.status == 201
    assert stack.post_form(form.json, content).status == 204

    restored = eventually(
        "the duplicate", lambda: stack.get(f"/receipts/{first.fingerprint}").json["duplicates"]
    )
    assert [(entry["key"], entry["restores"]) for entry in restored] == [(form.json["key"], True)]
    assert not stack.entry_of(stack.upload("lost/third.png", content))["restores"]
    assert stack.call("POST", "/uploads", body=declared(content)).status == 409


def test_overwritten_file_has_an_entry_for_each_version(stack: DeployedStack) -> None:
    before, after = stack.upload("overwritten.png", png()), stack.upload("overwritten.png", png())

    old, new = stack.entries_of(before, after)

    assert (old["outcome"], new["outcome"]) == ("ACCEPTED", "ACCEPTED")
    assert (old["fingerprint"], new["fingerprint"]) == (before.fingerprint, after.fingerprint)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.pdf", b"", "empty"),
        ("text named like a picture.png", b"not a picture, whatever the name says", "unsupported_type"),
        ("large.png", png(padding=MAX_RECEIPT_BYTES), "too_large"),
    ],
)
def test_file_that_is_no_receipt_is_rejected_with_its_reason(
    stack: DeployedStack, name: str, content: bytes, reason: str
) -> None:
    entry = stack.entry_of(stack.upload(f"bad/{name}", content))

    assert (entry["outcome"], entry["reason"]) == ("REJECTED", reason)


def test_what_mounts_and_consoles_leave_beside_a_receipt_is_told_apart(stack: DeployedStack) -> None:
    """A folder is made, a file is created in it and then written, and its metadata is changed."""
    s3 = stack.administrator.client("s3")
    place: Any = {"Bucket": stack.bucket, "Key": "mounted/receipt.png"}
    folder, created = stack.upload("mounted/", b""), stack.upload(place["Key"], b"")
    written = stack.upload(place["Key"], png())
    assert stack.entry_of(written)["outcome"] == "ACCEPTED"
    edit: Any = {"CopySource": place, "MetadataDirective": "REPLACE", "Metadata": {"mode": "33188"}}
    edited = replace(written, version_id=s3.copy_object(**place, **edit)["VersionId"])

    entries = stack.entries_of(folder, created, written, edited)

    assert [(entry["outcome"], entry.get("reason"), entry["uploader"]["via"]) for entry in entries] == [
        ("REJECTED", "folder_marker", "put"),
        ("REJECTED", "empty", "put"),
        ("ACCEPTED", None, "put"),
        ("DUPLICATE", None, "copy"),
    ]
    assert entries[3]["duplicate_of"] == {
        "bucket": stack.bucket,
        "key": written.key,
        "version_id": written.version_id,
    }


def test_file_that_is_cut_off_is_rejected_with_where_it_ends(stack: DeployedStack) -> None:
    whole = png()

    entry = stack.entry_of(stack.upload("bad/cut.png", whole[:-4]))

    assert (entry["outcome"], entry["reason"]) == ("REJECTED", "damaged")
    assert (entry["media_type"], entry["size_bytes"]) == ("image/png", len(whole) - 4)
    assert entry["detail"] == f"ends after {len(whole) - 4} bytes, inside the chunk IEND that should have 0"


def test_encrypted_file_is_accepted_and_found_by_its_finding(stack: DeployedStack) -> None:
    # Zeros after the end make it another file, if the samples were uploaded before.
    content = (SAMPLES / "good" / "phone bill.pdf").read_bytes() + bytes(7)

    entry = stack.entry_of(stack.upload("locked.pdf", content))
    stack.entry_of(stack.upload("open.png", png()))

    assert (entry["outcome"], entry["findings"]) == ("ACCEPTED", ["encrypted"])
    found = stack.entries(finding="encrypted")
    assert entry in found
    assert all("encrypted" in each["findings"] for each in found)
    assert entry not in stack.entries(finding="trailing_data")


def test_largest_allowed_receipt_is_accepted(stack: DeployedStack) -> None:
    content = png()
    content += bytes(MAX_RECEIPT_BYTES - len(content))

    assert stack.entry_of(stack.upload("largest.png", content))["outcome"] == "ACCEPTED"


def test_message_that_nobody_can_understand_ends_in_the_dead_letter_queue(stack: DeployedStack) -> None:
    sqs, outputs = stack.administrator.client("sqs"), stack.outputs
    body = "this is no S3 event"

    with redelivery_after(stack, seconds=1):
        sqs.send_message(QueueUrl=outputs["resend_queue_url"], MessageBody=body)
        dead = eventually(
            "a message in the dead-letter queue",
            lambda: sqs.receive_message(QueueUrl=outputs["dead_letter_queue_url"]).get("Messages"),
        )

    assert [message["Body"] for message in dead] == [body]
    eventually("an empty queue", lambda: depth(stack, "resend_queue_url").total == 0)
