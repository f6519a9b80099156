"""Links to the files of receipts: which object version they lead to, and what can be done with them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.api.responses import PRESIGNING_CONFIG
from functions.contract.entry import ObjectVersion, parse_time
from functions.file_links.links import FileLink, FileLinks, content_disposition
from local.in_process.events import BUCKET, s3_event
from tests.functions.examples import PNG, TEXT, entry
from tests.functions.http_events import REQUEST_ID

if TYPE_CHECKING:
    from functions.contract.entry import Upload
    from tests.functions.account import Account
    from tests.functions.http_events import Answer

FINGERPRINT = hashlib.sha256(PNG).hexdigest()
AT = datetime(2026, 11, 30, tzinfo=UTC)
LIFETIME = timedelta(seconds=60)


def recorded(account: Account, *keys: str, content: bytes = PNG) -> list[Upload]:
    """Upload the same bytes to each key, one after the other, and record them."""
    uploads = [account.put(key, content) for key in keys]
    for made in uploads:
        assert account.process(s3_event(made)) == []
    return uploads


def query_of(url: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def named(answer: Answer) -> tuple[str, str]:
    """The key and the version id in an answer; those in the signed address are the same."""
    key, version_id = answer.body["key"], answer.body["version_id"]
    assert query_of(answer.body["url"])["versionId"] == version_id
    assert urlsplit(answer.body["url"]).path == f"/{key}"
    return key, version_id


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["type"].removeprefix("/problems/")


class TestWhichVersion:
    def test_receipt_leads_to_its_own_object_version(self, account: Account) -> None:
        first, _ = recorded(account, "first.png", "again.png")
        answer = account.file(FINGERPRINT)

        assert answer.status == 200
        assert named(answer) == ("first.png", first.version.version_id)
        assert {
            name: answer.body[name] for name in ("bucket", "fingerprint", "size_bytes", "media_type")
        } == {
            "bucket": BUCKET,
            "fingerprint": FINGERPRINT,
            "size_bytes": len(PNG),
            "media_type": "image/png",
        }
        assert len(answer.body) == 8

    def test_receipt_whose_version_was_deleted_leads_to_the_one_that_backs_it(self, account: Account) -> None:
        left = {made.version.key: made for made in recorded(account, "first.png", "second.png", "third.png")}
        account.delete(left.pop("first.png"))
        while left:
            key, version_id = named(account.file(FINGERPRINT))
            assert left[key].version.version_id == version_id
            account.delete(left.pop(key))

        assert problem(account.file(FINGERPRINT)) == (410, "file-gone")

    def test_receipt_that_was_restored_leads_to_the_version_that_restored_it(self, account: Account) -> None:
        (first,) = recorded(account, "first.png")
        account.delete(first)
        (restoring,) = recorded(account, "restores.png")
        account.calls.made.clear()

        assert named(account.file(FINGERPRINT)) == ("restores.png", restoring.version.version_id)
        assert "Query" not in account.calls.made, "the ledger has a note of it"

    def test_version_of_a_receipt_or_a_duplicate_leads_to_exactly_that(self, account: Account) -> None:
        uploads = recorded(account, "first.png", "again.png")

        for made in uploads:
            answer = account.file(FINGERPRINT, version=made.version.version_id)
            assert named(answer) == (made.version.key, made.version.version_id)

    def test_version_of_a_rejection_leads_to_it_and_its_fingerprint_alone_does_not(
        self, account: Account
    ) -> None:
        (made,) = recorded(account, "notes.txt", content=TEXT)
        fingerprint = hashlib.sha256(TEXT).hexdigest()

        answer = account.file(fingerprint, version=made.version.version_id)
        assert named(answer)[0] == "notes.txt"
        assert answer.body["media_type"] is None
        assert problem(account.file(fingerprint)) == (404, "receipt-not-found")

    def test_version_that_was_deleted_is_gone_even_if_another_backs_the_receipt(
        self, account: Account
    ) -> None:
        first, _ = recorded(account, "first.png", "again.png")
        account.delete(first)

        assert problem(account.file(FINGERPRINT, version=first.version.version_id)) == (410, "file-gone")

    def test_version_of_another_fingerprint_is_not_found(self, account: Account) -> None:
        recorded(account, "first.png")
        (other,) = recorded(account, "notes.txt", content=TEXT)

        answer = account.file(FINGERPRINT, version=other.version.version_id)
        assert problem(answer) == (404, "version-not-found")
        assert problem(account.file("0" * 64, version="v1")) == (404, "receipt-not-found")
        assert problem(account.file("0" * 64)) == (404, "receipt-not-found")

    def test_version_below_a_delete_marker_is_there(self, account: Account) -> None:
        (made,) = recorded(account, "first.png")
        account.s3.delete_object(Bucket=BUCKET, Key="first.png")

        assert named(account.file(FINGERPRINT))[1] == made.version.version_id

    def test_search_that_could_not_see_all_entries_says_so(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recorded(account, "first.png", "again.png")
        account.handler("file_links")
        monkeypatch.setattr("functions.file_links.files.MOST_SEARCHED", 1)

        detail = account.file(FINGERPRINT, version="v1").body["detail"]
        assert "too many entries to search all of them" in detail

    @pytest.mark.parametrize("parameters", [{}, {"version": "v1"}])
    def test_version_outside_of_the_upload_prefix_is_out_of_reach(
        self, account: Account, parameters: dict[str, str]
    ) -> None:
        old = entry("first.png", AT)
        elsewhere = replace(old.upload.version, bucket="former-bucket")
        account.store.record(replace(old, upload=replace(old.upload, version=elsewhere)))

        answer = account.file(old.fingerprint, **parameters)
        assert problem(answer) == (409, "file-out-of-reach")
        assert "HeadObject" not in account.calls.made

    def test_refusal_of_s3_is_not_taken_for_an_absence(self, account: Account) -> None:
        recorded(account, "first.png")
        error: Any = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        account.calls.fail_before = lambda name, _: ClientError(error, name) if name == "HeadObject" else None

        assert account.file(FINGERPRINT).status == 500


class TestParameters:
    @pytest.mark.parametrize(
        ("fingerprint", "query", "fields"),
        [
            ("x", "version=v1", ["fingerprint"]),
            (FINGERPRINT.upper(), "", ["fingerprint"]),
            (FINGERPRINT, "version=", ["version"]),
            (FINGERPRINT, "version=a%0Ab", ["version"]),
            (FINGERPRINT, f"version={'v' * 1025}", ["version"]),
            (FINGERPRINT, "version=a&version=b", ["version"]),
            ("x", "versionId=a&version=", ["fingerprint", "versionId", "version"]),
        ],
    )
    def test_bad_parameters_are_all_named_before_anything_is_asked(
        self, account: Account, fingerprint: str, query: str, fields: list[str]
    ) -> None:
        answer = account.file(fingerprint, query)

        assert problem(answer) == (400, "invalid-parameter")
        assert answer.refused_fields == fields
        assert account.calls.made == []


class TestLink:
    VERSION = ObjectVersion(bucket="receipts", key="2026/Café 1.png", version_id="v+1/=")

    def link(self, version: ObjectVersion = VERSION) -> FileLink:
        session = boto3.Session(region_name="il-central-1")
        with contextlib.closing(session.client("s3", config=PRESIGNING_CONFIG)) as client:
            return FileLinks(client=client, lifetime=LIFETIME).link_to(version)

    @pytest.mark.claim(
        "a link to a file is signed for one object version and one minute, and S3 returns it as bytes to "
        "save, which no cache keeps",
        section="Access to the API",
    )
    def test_link_is_for_one_version_that_a_browser_saves(self) -> None:
        url = self.link().url
        query = query_of(url)

        assert url.startswith("https://receipts.s3.il-central-1.amazonaws.com/2026/Caf%C3%A9%201.png?")
        assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
        assert query["X-Amz-SignedHeaders"] == "host"
        assert query["versionId"] == "v+1/="
        assert query["response-content-type"] == "application/octet-stream"
        assert query["response-cache-control"] == "private, no-store"
        assert query["response-content-disposition"].startswith("attachment; ")

    def test_link_expires_when_it_says(self) -> None:
        link = self.link()
        query = query_of(link.url)

        signed = parse_time(re.sub(r"(....)(..)(..T..)(..)(..Z)", r"\1-\2-\3:\4:\5", query["X-Amz-Date"]))
        assert signed + timedelta(seconds=int(query["X-Amz-Expires"])) == link.expires_at
        assert signed <= datetime.now(UTC)
        assert query["X-Amz-Expires"] == "60"

    def test_temporary_credentials_sign_with_their_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

        assert query_of(self.link().url)["X-Amz-Security-Token"] == "token"

    @pytest.mark.parametrize(
        ("name", "header"),
        [
            ("lunch.png", "attachment; filename=\"lunch.png\"; filename*=UTF-8''lunch.png"),
            (
                "a (1) 5%.png",
                "attachment; filename=\"a (1) 5_.png\"; filename*=UTF-8''a%20%281%29%205%25.png",
            ),
            ("é'.pdf", "attachment; filename=\"_'.pdf\"; filename*=UTF-8''%C3%A9%27.pdf"),
        ],
    )
    def test_header_names_the_file_for_old_and_new_browsers(self, name: str, header: str) -> None:
        assert content_disposition(name) == header


def test_each_link_leaves_a_line_without_its_address_or_the_key(account: Account) -> None:
    (made,) = recorded(account, "erika.png")
    account.output()

    answer = account.file(FINGERPRINT)

    (line,) = account.log()
    assert line["message"] == "file link given"
    assert line["api_request_id"] == REQUEST_ID
    assert (line["fingerprint"], line["version_id"]) == (FINGERPRINT, made.version.version_id)
    assert line["expires_at"] == answer.body["expires_at"]
    assert not any(secret in json.dumps(line) for secret in ("erika", "X-Amz", "https"))


def test_problem_leaves_no_line(account: Account) -> None:
    account.file(FINGERPRINT)

    assert account.log() == []
