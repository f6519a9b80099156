"""What a form can be used for, in addition to `tests/local/test_uploads.py`."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.api.responses import PRESIGNING_CONFIG
from functions.upload_forms.forms import UploadForms
from functions.upload_forms.request import UploadRequest
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack, declared, png, sha256_base64
from tests.security.deployed.roles import roles_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Form = dict[str, Any]


def new_form(stack: DeployedStack, content: bytes) -> Form:
    answer = stack.call("POST", "/uploads", body=declared(content))
    assert answer.status == 201, answer
    form: Form = answer.json
    return form


def versions(stack: DeployedStack, key: str) -> list[str]:
    listed = stack.administrator.client("s3").list_object_versions(Bucket=stack.bucket, Prefix=key)
    return [version["VersionId"] for version in listed.get("Versions", [])]


def sent(stack: DeployedStack, form: Form) -> bytes:
    """Get a form and send it with its file. Return the file, and update the form."""
    content = png()
    form.update(new_form(stack, content))
    assert stack.post_form(form, content).status == 204
    return content


@pytest.mark.claim(
    "a form is signed for the key, the size and the SHA-256 that were declared",
    section="Access to the API",
)
def test_form_is_signed_for_the_declared_content(stack: DeployedStack) -> None:
    content = png()
    form = new_form(stack, content)

    conditions = policy_of(form)["conditions"]

    assert ["content-length-range", len(content), len(content)] in conditions
    assert {"x-amz-checksum-algorithm": "SHA256"} in conditions
    assert {"x-amz-checksum-sha256": sha256_base64(content)} in conditions
    assert {"key": form["key"]} in conditions
    assert {"bucket": stack.bucket} in conditions


@pytest.mark.claim(
    "S3 refuses a form with other bytes than were declared, even as many of them",
    section="Access to the API",
)
def test_form_with_other_bytes_is_refused_by_s3(stack: DeployedStack) -> None:
    announced, content = png(), png()
    assert (len(announced), announced != content) == (len(content), True)
    form = new_form(stack, announced)

    answer = stack.post_form(form, content)

    assert (answer.status, "BadDigest" in answer.text) == (400, True)
    assert versions(stack, form["key"]) == []


@pytest.mark.claim(
    "an entry has the fingerprint of the bytes that were stored, whatever was declared",
    section="Access to the API",
)
def test_entry_says_what_was_stored_and_not_what_was_declared(
    stack: DeployedStack, role_client: S3Client
) -> None:
    """A form without a checksum, as nothing but the function's role could sign it."""
    announced, content, key = png(), png(), f"{stack.outputs['upload_prefix']}uploads/unchecked.png"
    form: Any = role_client.generate_presigned_post(stack.bucket, key)

    assert stack.post_form(form, content).status == 204

    (entry,) = eventually("an entry", lambda: entries_under(stack, key))
    assert entry["fingerprint"] == declared(content)["fingerprint"]
    assert stack.get(f"/receipts/{declared(announced)['fingerprint']}").status == 404


def policy_of(form: Form) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(base64.b64decode(form["fields"]["policy"]))
    return policy


def with_policy(form: Form, **changes: Any) -> Form:
    """The form with another policy than the one that was signed."""
    policy = policy_of(form) | changes
    encoded = base64.b64encode(json.dumps(policy).encode()).decode()
    return {**form, "fields": {**form["fields"], "policy": encoded}}


def with_field(name: str, value: str) -> Callable[[Form], Form]:
    return lambda form: {**form, "fields": {**form["fields"], name: value}}


CHANGES: dict[str, Callable[[Form], Form]] = {
    "no policy": lambda form: {
        **form,
        "fields": {name: value for name, value in form["fields"].items() if name != "policy"},
    },
    "a later end": lambda form: with_policy(form, expiration="2036-01-01T00:00:00Z"),
    "fewer conditions": lambda form: with_policy(form, conditions=[]),
    "a key to fill in": lambda form: with_field("key", f"{form['key'].rpartition('/')[0]}/${{filename}}")(
        form
    ),
    "a public ACL": with_field("acl", "public-read"),
    "another encryption": with_field("x-amz-server-side-encryption", "AES256"),
    "a redirect": with_field("success_action_redirect", "https://evil.example.com/"),
    "a content type": with_field("Content-Type", "text/html"),
    "metadata": with_field("x-amz-meta-note", "x"),
    "tags": with_field(
        "x-amz-tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    ),
    "another caller": with_field("x-amz-meta-caller", "principal=arn:aws:iam::123456789012:root"),
    "no caller": lambda form: {
        **form,
        "fields": {name: value for name, value in form["fields"].items() if name != "x-amz-meta-caller"},
    },
    "another storage class": with_field("x-amz-storage-class", "GLACIER"),
}


@pytest.mark.claim(
    "S3 refuses a form if any field was added or changed: a key, a policy, an ACL, an encryption",
    section="Access to the API",
)
@pytest.mark.parametrize("change", CHANGES)
def test_changed_form_is_refused_by_s3(stack: DeployedStack, change: str) -> None:
    content = png()
    form = new_form(stack, content)

    assert stack.post_form(CHANGES[change](form), content).status in {400, 403}
    assert versions(stack, form["key"]) == []


@pytest.mark.claim(
    "a form can't overwrite anybody's object, because each form has its own key", section="Access to the API"
)
def test_form_cannot_be_used_for_the_key_of_another_form(stack: DeployedStack) -> None:
    content = png()
    theirs: Form = {}
    kept = sent(stack, theirs)
    mine = new_form(stack, content)
    assert mine["key"] != theirs["key"]

    assert stack.post_form(with_field("key", theirs["key"])(mine), content).status == 403

    (version,) = versions(stack, theirs["key"])
    stored = stack.administrator.client("s3").get_object(
        Bucket=stack.bucket, Key=theirs["key"], VersionId=version
    )
    assert stored["Body"].read() == kept


@pytest.mark.claim(
    "if a form is sent twice, the second version gets its own entry, a DUPLICATE, and the first one stays",
    section="Access to the API",
)
def test_form_sent_twice_makes_a_duplicate(stack: DeployedStack) -> None:
    form: Form = {}
    content = sent(stack, form)
    (first,) = versions(stack, form["key"])
    eventually("an entry", lambda: entries_under(stack, form["key"]))

    assert stack.post_form(form, content).status == 204

    entries = eventually(
        "two entries",
        lambda: found if len(found := entries_under(stack, form["key"])) == 2 else None,
    )
    assert [entry["outcome"] for entry in entries] == ["DUPLICATE", "ACCEPTED"]
    assert entries[0]["duplicate_of"]["version_id"] == entries[1]["version_id"] == first
    assert set(versions(stack, form["key"])) == {entry["version_id"] for entry in entries}


@pytest.mark.claim("a form doesn't work with another bucket", section="Access to the API")
def test_form_is_refused_by_another_bucket(stack: DeployedStack, neighbour: DeployedStack) -> None:
    content = png()
    form = new_form(stack, content)
    elsewhere = form["url"].replace(stack.bucket, neighbour.bucket)
    assert elsewhere != form["url"]

    assert stack.post_form({**form, "url": elsewhere}, content).status == 403


@pytest.fixture
def role_client(stack: DeployedStack) -> Iterator[S3Client]:
    """A client with the credentials of the upload-forms function."""
    key, aws = roles_of(stack)["upload_forms"].session(), stack.administrator
    client = boto3.client(
        "s3",
        region_name=aws.region,
        endpoint_url=aws.endpoint_url,
        verify=str(aws.ca_bundle),
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        aws_session_token=key.token,
        config=PRESIGNING_CONFIG,
    )
    yield client
    client.close()


@pytest.mark.claim("S3 refuses a form that has expired", section="Access to the API")
@pytest.mark.parametrize(("minutes", "status"), [(5, 204), (-5, 403)])
def test_form_is_accepted_until_it_expires(
    stack: DeployedStack, role_client: S3Client, minutes: int, status: int
) -> None:
    assert signed_form_status(stack, role_client, timedelta(minutes=minutes), "uploads/") == status


@pytest.mark.claim(
    "S3 refuses a form that the upload-forms function signs for a key outside its form prefix",
    section="Least privilege",
)
def test_form_outside_the_prefix_is_refused_by_s3(stack: DeployedStack, role_client: S3Client) -> None:
    assert signed_form_status(stack, role_client, timedelta(minutes=5), "elsewhere/") == 403


def signed_form_status(stack: DeployedStack, client: S3Client, lifetime: timedelta, folder: str) -> int:
    content = png()
    prefix = f"{stack.outputs['upload_prefix']}{folder}"
    forms = UploadForms(client=client, bucket=stack.bucket, prefix=prefix, lifetime=lifetime)
    fingerprint = declared(content)["fingerprint"]
    form = forms.form_for(
        UploadRequest(key_part="receipt.png", size_bytes=len(content), fingerprint=fingerprint),
        caller=None,
        now=datetime.now(UTC),
        upload_id=uuid.uuid4(),
    )
    return stack.post_form({"url": form.url, "fields": form.fields}, content).status


def entries_under(stack: DeployedStack, key: str) -> list[dict[str, Any]]:
    return [entry for entry in stack.entries() if entry["key"] == key]
