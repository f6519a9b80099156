from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import boto3
import pytest

from functions.api.body import MAX_BODY_CHARACTERS
from functions.api.responses import PRESIGNING_CONFIG, respond
from functions.contract.entry import Caller, Entry, format_time, parse_time
from functions.contract.form_metadata import caller_named, read_caller
from functions.upload_forms.forms import UploadForms
from functions.upload_forms.request import UploadRequest, safe_key_part
from functions.upload_forms.routes import upload_form_routes
from tests.functions.examples import PNG, context, entry
from tests.functions.http_events import JSON, REQUEST_ID, Answer, http_event, sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.functions.account import Account

MAX_BYTES = 20_000_000
FINGERPRINT = "0123456789abcdef" * 4
CHECKSUM = base64.b64encode(bytes.fromhex(FINGERPRINT)).decode()
BODY = {"filename": "lunch.png", "size_bytes": 1234, "fingerprint": FINGERPRINT}
NOW = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
LIFETIME = timedelta(minutes=15)
UPLOAD_ID = UUID("7f4df3a1-9c50-4f0e-8f3f-0c5d5c1d2e3f")


@contextlib.contextmanager
def upload_forms(region: str = "eu-central-1") -> Iterator[UploadForms]:
    session = boto3.Session(region_name=region)  # of its own: the default one keeps its first credentials
    with contextlib.closing(session.client("s3", config=PRESIGNING_CONFIG)) as client:
        yield UploadForms(client=client, bucket="receipts", prefix="uploads/", lifetime=LIFETIME)


@pytest.fixture
def post() -> Iterator[Callable[..., Answer]]:
    with upload_forms() as forms:
        yield poster(forms)


def poster(forms: UploadForms, accepted: Entry | None = None) -> Callable[..., Answer]:
    receipts = {accepted.fingerprint: accepted} if accepted else {}
    routes = upload_form_routes(
        find_receipt=receipts.get, is_backed=lambda _: True, forms=forms, max_bytes=MAX_BYTES
    )

    def post(body: object = None, *, headers: Mapping[str, str] = JSON, is_base64: bool = False) -> Answer:
        text = body if isinstance(body, str | None) else json.dumps(body)
        event = http_event("POST", "/uploads", body=text, headers=headers, is_base64=is_base64)
        return sent(respond(routes, event))

    return post


def policy_of(fields: dict[str, str]) -> dict[str, Any]:
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert isinstance(policy, dict)
    return policy


class TestForm:
    def test_form_is_bound_to_one_key_one_size_and_one_content(self, post: Callable[..., Answer]) -> None:
        answer = post(BODY)

        assert answer.status == 201
        assert answer.body.keys() == {"url", "fields", "key", "expires_at"}
        fields, key = answer.body["fields"], answer.body["key"]
        conditions = policy_of(fields)["conditions"]
        assert {"bucket": "receipts"} in conditions
        assert {"key": key} in conditions
        assert ["content-length-range", 1234, 1234] in conditions
        assert {"x-amz-checksum-algorithm": "SHA256"} in conditions
        assert {"x-amz-checksum-sha256": CHECKSUM} in conditions
        assert not [each for each in conditions if "starts-with" in each]
        assert fields["key"] == key
        assert fields["x-amz-checksum-algorithm"] == "SHA256"
        assert fields["x-amz-checksum-sha256"] == CHECKSUM
        assert fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"

    def test_every_field_of_the_form_is_a_condition(self, post: Callable[..., Answer]) -> None:
        fields = post(BODY).body["fields"]

        named = {name for each in policy_of(fields)["conditions"] if isinstance(each, dict) for name in each}
        assert fields.keys() - named == {"policy", "x-amz-signature"}

    def test_key_has_prefix_date_id_and_name(self) -> None:
        with upload_forms() as forms:
            request = UploadRequest(key_part="lunch.png", size_bytes=1, fingerprint=FINGERPRINT)
            form = forms.form_for(request, caller=None, now=NOW, upload_id=UPLOAD_ID)

        assert form.key == f"uploads/2026/11/30/{UPLOAD_ID}/lunch.png"
        assert form.expires_at == NOW + LIFETIME

    def test_expiry_is_the_lifetime_from_now(self, post: Callable[..., Answer]) -> None:
        before = datetime.now(UTC)
        answer = post(BODY)
        after = datetime.now(UTC)

        assert before <= parse_time(answer.body["expires_at"]) - LIFETIME <= after
        signed = parse_time(policy_of(answer.body["fields"])["expiration"])  # in whole seconds
        assert before.replace(microsecond=0) <= signed - LIFETIME <= after

    def test_two_forms_for_one_file_have_different_keys(self, post: Callable[..., Answer]) -> None:
        assert post(BODY).body["key"] != post(BODY).body["key"]

    @pytest.mark.parametrize("name", ["us-east-1", "eu-central-1", "il-central-1"])
    def test_form_goes_to_the_region_of_the_bucket(self, name: str) -> None:
        with upload_forms(name) as forms:
            assert poster(forms)(BODY).body["url"] == f"https://receipts.s3.{name}.amazonaws.com/"

    def test_form_goes_to_a_configured_endpoint(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:4566")

        with upload_forms() as forms:
            assert poster(forms)(BODY).body["url"] == "https://127.0.0.1:4566/receipts"

    def test_temporary_credentials_sign_with_their_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

        with upload_forms() as forms:
            fields = poster(forms)(BODY).body["fields"]

        assert fields["x-amz-security-token"] == "token"
        assert {"x-amz-security-token": "token"} in policy_of(fields)["conditions"]

    @pytest.mark.parametrize(
        ("caller", "field"),
        [
            (
                Caller(principal="arn:aws:iam::1:user/ü b"),
                "principal=arn:aws:iam::1:user/%C3%BC%20b",
            ),
            (
                Caller(issuer="https://i.example", subject="a&b"),
                "issuer=https://i.example&subject=a%26b",
            ),
        ],
    )
    @pytest.mark.claim(
        "a form is signed for one caller, whose name is metadata of the object", section="Access to the API"
    )
    def test_caller_is_metadata_that_cannot_be_changed(self, caller: Caller, field: str) -> None:
        with upload_forms() as forms:
            request = UploadRequest(key_part="lunch.png", size_bytes=1, fingerprint=FINGERPRINT)
            form = forms.form_for(request, caller=caller, now=NOW, upload_id=UPLOAD_ID)

        assert form.fields["x-amz-meta-caller"] == field
        assert {"x-amz-meta-caller": field} in policy_of(dict(form.fields))["conditions"]

    def test_form_for_nobody_known_has_no_metadata(self, post: Callable[..., Answer]) -> None:
        assert not [name for name in post(BODY).body["fields"] if name.startswith("x-amz-meta-")]


class TestAlreadyAccepted:
    def test_accepted_fingerprint_is_a_conflict_that_tells_when_it_was_and_nothing_of_whom(self) -> None:
        accepted = entry("first.png", NOW)
        with upload_forms() as forms:
            post = poster(forms, accepted)
            conflict = post({**BODY, "fingerprint": accepted.fingerprint, "again": False})
            again = post({**BODY, "fingerprint": accepted.fingerprint, "again": True})
            another = post(BODY)

        assert conflict.status == 409
        assert conflict.body["type"] == "/problems/already-accepted"
        told = {name for name in conflict.body if name not in {"type", "title", "status", "detail"}}
        assert told == {"fingerprint", "recorded_at"}
        assert conflict.body["recorded_at"] == format_time(accepted.recorded_at)
        assert "first.png" not in json.dumps(conflict.body)
        assert again.status == another.status == 201

    @pytest.mark.parametrize("again", [None, 1, "true"])
    def test_again_is_true_or_false(self, post: Callable[..., Answer], again: object) -> None:
        answer = post({**BODY, "again": again})

        assert (answer.status, answer.refused_fields) == (400, ["again"])


AUTHORIZERS = [
    ({}, {}),
    (
        {"iam": {"userArn": "arn:aws:iam::1:user/a", "accessKey": "AKIAEXAMPLE"}},
        {"principal": "arn:aws:iam::1:user/a"},
    ),
    (
        {
            "jwt": {
                "claims": {"iss": "https://i.example", "sub": "a", "email": "a@b.example"},
                "scopes": ["x"],
            }
        },
        {"issuer": "https://i.example", "subject": "a"},
    ),
]


@pytest.mark.parametrize(("authorizer", "caller"), AUTHORIZERS)
def test_each_form_leaves_a_line_with_its_caller_and_nothing_that_could_be_used(
    authorizer: dict[str, Any], caller: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    event = http_event("POST", "/uploads", body=json.dumps(BODY), headers=JSON)
    event["requestContext"]["authorizer"] = authorizer
    with upload_forms() as forms:
        routes = upload_form_routes(
            find_receipt=lambda _: None, is_backed=lambda _: True, forms=forms, max_bytes=MAX_BYTES
        )
        form = json.loads(respond(routes, event)["body"])

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["message"], line["caller"], line["key"]) == ("form given", caller, form["key"])
    assert (line["fingerprint"], line["size_bytes"]) == (BODY["fingerprint"], BODY["size_bytes"])
    assert line["expires_at"] == form["expires_at"]
    assert read_caller({"caller": form["fields"].get("x-amz-meta-caller", "")}) == caller_named(caller)
    assert line["api_request_id"] == event["requestContext"]["requestId"]
    secrets = [form["fields"]["x-amz-signature"], form["fields"]["policy"], "AKIAEXAMPLE", "a@b.example"]
    assert not any(secret in json.dumps(line) for secret in secrets)


class TestBody:
    def test_body_in_base64_is_read(self, post: Callable[..., Answer]) -> None:
        body = base64.b64encode(json.dumps(BODY).encode()).decode()

        assert post(body, is_base64=True).status == 201

    @pytest.mark.parametrize(
        "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.bill-e+json"]
    )
    def test_json_content_types_are_taken(self, post: Callable[..., Answer], content_type: str) -> None:
        assert post(BODY, headers={"content-type": content_type}).status == 201

    @pytest.mark.parametrize(
        "headers",
        [{}, {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}],
    )
    def test_other_content_types_are_not_supported(
        self, post: Callable[..., Answer], headers: dict[str, str]
    ) -> None:
        answer = post(BODY, headers=headers)

        assert answer.status == 415
        assert answer.body["type"] == "/problems/unsupported-media-type"

    @pytest.mark.parametrize(
        "body",
        [
            None,
            "",
            "{",
            "[]",
            "null",
            '"text"',
            "1",
            "[" * 10_000,
            '{"size_bytes": NaN}',
            '{"size_bytes": ' + "9" * 5000 + "}",
            json.dumps(BODY)[:-1] + ', "filename": "other.png"}',
        ],
    )
    def test_body_that_is_no_json_object_is_malformed(
        self, post: Callable[..., Answer], body: str | None
    ) -> None:
        answer = post(body)

        assert answer.status == 400
        assert answer.body["type"] == "/problems/malformed-body"

    def test_body_longer_than_any_valid_one_is_not_read(self, post: Callable[..., Answer]) -> None:
        longest = post(json.dumps({**BODY, "filename": "🧾" * 255}).ljust(MAX_BODY_CHARACTERS))
        longer = post(json.dumps(BODY).ljust(MAX_BODY_CHARACTERS + 1))

        assert longest.status == 201
        assert longer.status == 413
        assert longer.body["type"] == "/problems/body-too-long"

    @pytest.mark.parametrize("body", ["%%%", base64.b64encode(b"\xff\xfe").decode(), "e30"])
    def test_body_in_broken_base64_is_malformed(self, post: Callable[..., Answer], body: str) -> None:
        assert post(body, is_base64=True).body["type"] == "/problems/malformed-body"


class TestMembers:
    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("filename", ""),
            ("filename", "a" * 256),
            ("filename", "a\nb.png"),
            ("filename", "a\x00.png"),
            ("filename", "\x9f.png"),
            ("filename", "\ud800.png"),
            ("filename", "folder/"),
            ("filename", ".."),
            ("filename", "a/.."),
            ("filename", " "),
            ("filename", 1),
            ("filename", None),
            ("filename", ["lunch.png"]),
            ("size_bytes", 0),
            ("size_bytes", -1),
            ("size_bytes", 1.0),
            ("size_bytes", 1e400),
            ("size_bytes", True),
            ("size_bytes", "1234"),
            ("size_bytes", None),
            ("fingerprint", FINGERPRINT.upper()),
            ("fingerprint", FINGERPRINT[:-1]),
            ("fingerprint", FINGERPRINT + "\n"),
            ("fingerprint", "g" * 64),
            ("fingerprint", "\N{ARABIC-INDIC DIGIT ZERO}" * 64),
            ("fingerprint", 0),
            ("fingerprint", {}),
            ("content_type", "image/png"),
            ("x" * 1000, "y" * 1000),
        ],
    )
    def test_bad_member_is_named(self, post: Callable[..., Answer], member: str, value: object) -> None:
        answer = post(json.dumps({**BODY, member: value}).replace("Infinity", "1e400"))

        assert answer.status == 400
        assert answer.body["type"] == "/problems/invalid-parameter"
        (error,) = answer.body["errors"]
        assert error["field"][:100] == member[:100]
        assert error["allowed"]
        assert len(error["value"]) <= 101

    def test_all_errors_come_at_once_and_absent_members_have_no_value(
        self, post: Callable[..., Answer]
    ) -> None:
        answer = post({"size_bytes": MAX_BYTES + 1, "fingerprint": "abc", "name": "lunch.png"})

        assert answer.status == 400
        assert {error["field"]: error["value"] for error in answer.body["errors"]} == {
            "name": "lunch.png",
            "filename": None,
            "size_bytes": str(MAX_BYTES + 1),
            "fingerprint": "abc",
        }

    def test_largest_receipt_is_accepted_and_one_byte_more_is_not(self, post: Callable[..., Answer]) -> None:
        largest = post({**BODY, "size_bytes": MAX_BYTES})
        larger = post({**BODY, "size_bytes": MAX_BYTES + 1})

        assert largest.status == 201
        assert larger.status == 413
        assert larger.body["type"] == "/problems/too-large"
        assert str(MAX_BYTES) in larger.body["detail"]
        assert larger.refused_fields == ["size_bytes"]


class TestKeyPart:
    @pytest.mark.parametrize(
        ("filename", "key_part"),
        [
            ("lunch.png", "lunch.png"),
            ("Lunch 1 (copy).png", "Lunch_1__copy_.png"),
            ("/home/me/lunch.png", "lunch.png"),
            ("C:\\Users\\me\\lunch.png", "lunch.png"),
            ("../../etc/passwd", "passwd"),
            ("Überweisung-Größe.pdf", "Überweisung-Größe.pdf"),
            ("U\u0308ber.pdf", "Über.pdf"),
            ("領収書.pdf", "領収書.pdf"),
            ("रसीद.pdf", "रसीद.pdf"),
            ("${filename}", "__filename_"),
            ("a%2Fb?c#d&e+f.png", "a_2Fb_c_d_e_f.png"),
            ("gnp\u202e.exe", "gnp_.exe"),
            (".hidden.", "hidden"),
            ("🧾.pdf", "_.pdf"),
            ("..", ""),
            ("folder/", ""),
        ],
    )
    def test_name_is_made_safe(self, filename: str, key_part: str) -> None:
        assert safe_key_part(filename) == key_part

    def test_long_name_keeps_its_extension(self) -> None:
        key_part = safe_key_part("領" * 251 + ".pdf")

        assert key_part.endswith("領.pdf")
        assert len(key_part.encode()) <= 255


class TestHandler:
    """The whole function, on DynamoDB."""

    def test_a_line_has_the_ids_of_its_invocation_and_of_the_api_s_request(self, account: Account) -> None:
        assert account.ask("upload_forms", http_event("POST", "/no-such-route")).status == 500

        (logged,) = account.log()
        assert (logged["requestId"], logged["api_request_id"]) == (context().aws_request_id, REQUEST_ID)

    def test_form_is_given_until_the_receipt_is_accepted(self, account: Account) -> None:
        made = account.put("first.png", PNG)
        accepted = entry("first.png", NOW, upload=made)
        body = json.dumps({**BODY, "fingerprint": accepted.fingerprint})

        before = account.post(body)
        account.store.record(accepted)
        after = account.post(body)

        assert before.status == 201
        assert before.body["key"].startswith("incoming/")
        assert after.status == 409
        assert after.body["fingerprint"] == accepted.fingerprint
