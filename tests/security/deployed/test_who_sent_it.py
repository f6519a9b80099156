"""Who sent it: what an entry says about its uploader, and what callers and other roles tried instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.aws import AccessKey
from local.embedded_stack import create_role, take_role
from tests.local.eventually import eventually
from tests.local.stack import Answer, DeployedStack, Object, declared, png
from tests.security.deployed.conftest import WATCHED
from tests.security.deployed.issuer import Issuer
from tests.security.deployed.roles import roles_of
from tests.security.deployed.test_jwt import token

ODD_SUBJECT = "auditor & co <größe=1%>\N{RECEIPT}"


def sent_with_form(stack: DeployedStack, answer: Answer, content: bytes) -> dict[str, Any]:
    """Send a form with its file, and return the entry's uploader."""
    assert answer.status == 201, answer
    assert stack.post_form(answer.json, content).status == 204
    key = answer.json["key"]
    found = eventually(f"the receipt {key}", lambda: [each for each in stack.entries() if each["key"] == key])
    uploader: dict[str, Any] = found[0]["uploader"]
    return uploader


def signer_of_forms(stack: DeployedStack) -> str:
    role = roles_of(stack)["upload_forms"]
    return str(stack.administrator.client("iam").get_role(RoleName=role.name)["Role"]["RoleId"])


def arn_of(stack: DeployedStack) -> str:
    return str(stack.caller.client("sts").get_caller_identity()["Arn"])


@pytest.mark.claim(
    "the entry of an upload with a form names the caller who asked for the form, beside the function that "
    "signed it",
    section="Only what is true enters the ledger",
)
def test_form_names_the_principal_that_asked_for_it(stack: DeployedStack) -> None:
    content = png()

    uploader = sent_with_form(stack, stack.call("POST", "/uploads", body=declared(content)), content)

    assert uploader["principal"].startswith(f"AWS:{signer_of_forms(stack)}:")
    assert uploader["via"] == "form"
    assert uploader["caller"] == {"principal": arn_of(stack), "issuer": None, "subject": None}


def test_form_names_the_subject_of_the_token(token_stack: DeployedStack, issuer: Issuer) -> None:
    content = png()
    bearer = {"Authorization": f"Bearer {token(issuer, sub=ODD_SUBJECT)}", "Content-Type": "application/json"}
    url = f"{token_stack.outputs['api_url']}/uploads"

    answer = token_stack.send("POST", url, bearer, json.dumps(declared(content)))
    assert answer.status == 201, answer
    assert token_stack.post_form(answer.json, content).status == 204

    which = {"Authorization": f"Bearer {token(issuer)}"}
    path = f"{token_stack.outputs['api_url']}/receipts/{declared(content)['fingerprint']}"

    def probe() -> Any:
        found = token_stack.send("GET", path, which, None)
        return found.json["receipt"] if found.status == 200 else None

    uploader = eventually("the receipt", probe)["uploader"]
    assert uploader["caller"] == {"principal": None, "issuer": issuer.url, "subject": ODD_SUBJECT}


FORGED = {"caller": "principal=arn:aws:iam::123456789012:user/somebody-else"}


@pytest.mark.claim(
    "metadata that says who the caller is isn't believed of a caller's own upload, however it is made; the "
    "entry says how, and names the principal that S3 names",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize("via", ["put", "multipart"])
def test_metadata_of_a_callers_own_upload_is_not_believed(stack: DeployedStack, via: str) -> None:
    s3 = stack.caller.client("s3")
    place: Any = {"Bucket": stack.bucket, "Key": f"{WATCHED}forged {via}.png"}
    if via == "put":
        version = s3.put_object(**place, Body=png(), Metadata=FORGED)["VersionId"]
    else:
        upload = s3.create_multipart_upload(**place, Metadata=FORGED)["UploadId"]
        part = s3.upload_part(**place, UploadId=upload, PartNumber=1, Body=png())["ETag"]
        parts: Any = {"Parts": [{"PartNumber": 1, "ETag": part}]}
        version = s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)["VersionId"]

    uploader = stack.entry_of(Object(key=place["Key"], version_id=version, fingerprint=""))["uploader"]

    user = stack.administrator.client("iam").get_user(UserName=arn_of(stack).rpartition("/")[2])["User"]
    assert (uploader["principal"], uploader["via"]) == (f"AWS:{user['UserId']}", via)
    assert uploader["caller"] is None


@pytest.mark.claim(
    "a copy of an object that was uploaded with a form, metadata and all, names no caller",
    section="Only what is true enters the ledger",
)
def test_copy_of_a_form_names_no_caller(stack: DeployedStack) -> None:
    content = png()
    form = stack.call("POST", "/uploads", body=declared(content))
    sent_with_form(stack, form, content)
    s3, key = stack.administrator.client("s3"), f"{WATCHED}copy.png"
    source: Any = {"Bucket": stack.bucket, "Key": form.json["key"]}

    version = s3.copy_object(Bucket=stack.bucket, Key=key, CopySource=source)["VersionId"]

    assert "caller" in s3.head_object(Bucket=stack.bucket, Key=key)["Metadata"]
    uploader = stack.entry_of(Object(key=key, version_id=version, fingerprint=""))["uploader"]
    assert (uploader["via"], uploader["caller"]) == ("copy", None)


@pytest.mark.claim(
    "a form that another role signs names no caller, though its session has the name of the function's",
    section="Only what is true enters the ledger",
)
def test_role_with_the_same_session_name_names_no_caller(stack: DeployedStack) -> None:
    function = roles_of(stack)["upload_forms"].function
    key, content = f"{WATCHED}uploads/imitated.png", png()
    s3 = stack.emulator.seen_by(session_of_new_role(stack, "imitator", function)).client("s3")
    form = s3.generate_presigned_post(
        stack.bucket,
        key,
        Fields={f"x-amz-meta-{name}": value for name, value in FORGED.items()},
        Conditions=[{f"x-amz-meta-{name}": value} for name, value in FORGED.items()],
    )
    assert stack.post_form(form, content).status == 204

    (entry,) = eventually("an entry", lambda: [each for each in stack.entries() if each["key"] == key])

    assert entry["uploader"]["principal"].endswith(f":{function}")
    assert (entry["uploader"]["via"], entry["uploader"]["caller"]) == ("post", None)


def session_of_new_role(stack: DeployedStack, name: str, session: str) -> AccessKey:
    """A session with this name under a new role that may upload."""
    upload = {"Effect": "Allow", "Action": ["s3:PutObject", "kms:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [upload]})
    return take_role(stack.administrator, create_role(stack.administrator, name, policy), session)
