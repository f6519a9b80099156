from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.contract.entry import Uploader, Via
from functions.contract.s3_events import UnreadableMessageError, parse_body
from local.in_process.events import s3_event, s3_record
from tests.functions.examples import S3_TEST_EVENT, upload

UPLOADED_AT = datetime(2026, 11, 22, 10, 30, 15, 123000, tzinfo=UTC)
ONE = upload(uploaded_at=UPLOADED_AT)


def fits_into_a_key(text: str) -> bool:
    return len(text.encode()) <= 1024


def body(record: object) -> str:
    return json.dumps({"Records": [record]})


def changed(path: str, value: object) -> dict[str, Any]:
    """A record with one field replaced."""
    record = s3_record(ONE)
    owner, name = owner_of(record, path)
    owner[name] = value
    return record


def without(path: str) -> dict[str, Any]:
    """A record with one field left out."""
    record = s3_record(ONE)
    owner, name = owner_of(record, path)
    del owner[name]
    return record


def owner_of(record: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *parents, name = path.split(".")
    return reduce(dict.__getitem__, parents, record), name


def test_an_event_says_object_version_time_and_uploader() -> None:
    assert parse_body(s3_event(ONE)) == [ONE]


def test_every_record_of_a_message_is_an_upload_in_order() -> None:
    many = [upload(key=f"{number}.png", uploaded_at=UPLOADED_AT) for number in range(5)]

    assert parse_body(s3_event(*many)) == many


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("red+flower.jpg", "red flower.jpg"),
        ("red%20flower.jpg", "red flower.jpg"),
        ("1%2B1.png", "1+1.png"),
        ("100%25.png", "100%.png"),
        ("100%2525.png", "100%25.png"),
        ("2026/11/caf%C3%A9%E2%82%AC.png", "2026/11/café€.png"),
        ("%F0%9F%A7%BE.png", "🧾.png"),
        ("a%2Fb.png", "a/b.png"),
    ],
)
def test_a_key_is_decoded_once_as_a_form_is(encoded: str, key: str) -> None:
    (parsed,) = parse_body(body(changed("s3.object.key", encoded)))

    assert parsed.version.key == key


def test_a_key_is_no_longer_than_s3_takes() -> None:
    longest = "é" * 512
    assert parse_body(body(changed("s3.object.key", longest)))[0].version.key == longest

    with pytest.raises(
        UnreadableMessageError, match=r"s3\.object\.key is .*…, but must be a key of at most 1,024"
    ):
        parse_body(body(changed("s3.object.key", f"{longest}x")))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=1024).filter(fits_into_a_key))
def test_any_key_arrives_as_it_was_uploaded(key: str) -> None:
    made = upload(key=key, uploaded_at=UPLOADED_AT)

    assert parse_body(s3_event(made)) == [made]


@pytest.mark.parametrize(
    "record", [without("s3.object.versionId"), *(changed("s3.object.versionId", none) for none in (None, ""))]
)
def test_an_object_without_version_id_is_the_null_version(record: dict[str, Any]) -> None:
    (parsed,) = parse_body(body(record))

    assert parsed.version.version_id == "null"


def test_the_uploader_may_be_unknown() -> None:
    record = without("userIdentity")
    del record["requestParameters"]["sourceIPAddress"]

    (parsed,) = parse_body(body(record))

    assert parsed.uploader == Uploader(principal=None, source_ip=None, via=Via.PUT)


@pytest.mark.parametrize(
    ("path", "unknown"),
    [("userIdentity.principalId", "principal"), ("requestParameters.sourceIPAddress", "source_ip")],
)
def test_an_empty_text_about_the_uploader_is_none(path: str, unknown: str) -> None:
    uploader = replace(ONE.uploader, **{unknown: None})

    assert parse_body(body(changed(path, ""))) == [replace(ONE, uploader=uploader)]


@pytest.mark.parametrize(
    ("path", "unknown"), [("userIdentity", "principal"), ("requestParameters", "source_ip")]
)
@pytest.mark.parametrize("none", [None, "", {}])
def test_without_content_a_part_about_the_uploader_is_none(path: str, unknown: str, none: object) -> None:
    uploader = replace(ONE.uploader, **{unknown: None})

    assert parse_body(body(changed(path, none))) == [replace(ONE, uploader=uploader)]


@pytest.mark.parametrize("source", [None, ""])
def test_an_event_that_does_not_say_who_sent_it_is_not_from_s3(source: str | None) -> None:
    assert parse_body(body(changed("eventSource", source))) == [replace(ONE, resent=True)]


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.4", "2.99"])
def test_any_minor_event_version_is_understood(version: str) -> None:
    assert parse_body(body(changed("eventVersion", version))) == [ONE]


@pytest.mark.parametrize(
    ("name", "via"),
    [
        ("ObjectCreated:Put", Via.PUT),
        ("ObjectCreated:Post", Via.POST),
        ("ObjectCreated:Copy", Via.COPY),
        ("ObjectCreated:CompleteMultipartUpload", Via.MULTIPART),
        ("ObjectCreated:ByNewMeans", None),
    ],
)
def test_every_way_to_create_an_object_is_an_upload_whose_event_says_how(name: str, via: Via | None) -> None:
    uploader = replace(ONE.uploader, via=via)

    assert parse_body(body(changed("eventName", name))) == [replace(ONE, uploader=uploader)]


def test_the_test_event_of_s3_has_no_uploads() -> None:
    assert parse_body(S3_TEST_EVENT) == []


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "body is ''"),
        ("not json", "body is 'not json'"),
        ("[" * 100_000, "body is "),
        ("null", "body is missing"),
        ("[]", r"body is \[\]"),
        ('"Records"', "body is 'Records'"),
        ("{}", "Records is missing"),
        ('{"Records": []}', r"Records is \[\]"),
        ('{"Records": {}}', r"Records is {}"),
        ('{"Event": "s3:TestEvent", "Records": []}', r"Records is \[\]"),
        ('{"Event": "s3:OtherEvent"}', "Records is missing"),
        ('{"Records": [null]}', r"Records\[0\] is missing"),
        ('{"Records": ["x"]}', r"Records\[0\] is 'x'"),
    ],
)
def test_a_body_that_is_not_an_s3_event_is_refused(text: str, field: str) -> None:
    with pytest.raises(UnreadableMessageError, match=field):
        parse_body(text)


FIELDS = [
    *("eventVersion", "eventName", "eventTime"),
    *("s3", "s3.bucket", "s3.bucket.name", "s3.object", "s3.object.key"),
]
UPLOADER_FIELDS = [
    *("userIdentity", "userIdentity.principalId"),
    *("requestParameters", "requestParameters.sourceIPAddress"),
]


@pytest.mark.parametrize("path", FIELDS)
def test_a_missing_field_is_named(path: str) -> None:
    with pytest.raises(UnreadableMessageError, match=rf"^Records\[0\]\.{path} is missing, but must be "):
        parse_body(body(without(path)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("eventVersion", "3.0"),
        ("eventVersion", 2.1),
        ("eventName", "ObjectRemoved:DeleteMarkerCreated"),
        ("eventName", "s3:ObjectCreated:Put"),
        ("eventTime", "yesterday"),
        ("eventTime", "2026-11-22T10:30:15"),
        ("eventTime", "0001-01-01T00:00:00+23:59"),
        ("eventTime", 1763807415),
        ("s3", []),
        ("s3.bucket", "uploads"),
        ("s3.bucket.name", ""),
        ("s3.object.key", ""),
        ("s3.object.key", 7),
        ("s3.object.key", "not%FFutf-8"),
        ("s3.object.versionId", 7),
        ("s3.object.versionId", "v1\0lunch.png"),
        ("s3.object.versionId", "v" * 1_025),
        ("s3.bucket.name", "uploads\0v1"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(path: str, value: object) -> None:
    with pytest.raises(UnreadableMessageError) as refused:
        parse_body(body(changed(path, value)))

    shown = repr(value) if len(repr(value)) <= 100 else f"{value!r:.100}…"
    assert str(refused.value).startswith(f"Records[0].{path} is {shown}, but must be ")


@pytest.mark.parametrize("path", [*FIELDS, "s3.object.versionId", *UPLOADER_FIELDS])
@pytest.mark.parametrize("value", ["\ud800", "half \ud83e", ["\ud800"]], ids=ascii)
def test_half_a_character_is_refused_wherever_it_counts(path: str, value: object) -> None:
    """JSON can contain half of a surrogate pair, which can't be encoded in UTF-8 for S3 or the ledger."""
    with pytest.raises(UnreadableMessageError, match=rf"^Records\[0\]\.{path} is "):
        parse_body(body(changed(path, value)))


@pytest.mark.parametrize(
    ("path", "value"),
    [*zip(UPLOADER_FIELDS, ["AIDAEXAMPLE", ["AIDAEXAMPLE"], ["192.0.2.7"], ["192.0.2.7"]], strict=True)],
)
def test_a_wrong_field_about_the_uploader_is_named_without_its_value(path: str, value: object) -> None:
    with pytest.raises(
        UnreadableMessageError, match=rf"^Records\[0\]\.{path} is wrong, but must be "
    ) as refused:
        parse_body(body(changed(path, value)))

    assert not any(private in str(refused.value) for private in ("AIDAEXAMPLE", "192.0.2.7"))


@pytest.mark.claim("a message that repeats a field is refused as a whole", section="Hostile input")
@pytest.mark.parametrize(
    "text", ['{"Records": [], "Records": []}', '{"Records": [{"s3": {"object": {"key": "a", "key": "b"}}}]}']
)
def test_a_body_with_a_repeated_field_is_refused(text: str) -> None:
    with pytest.raises(UnreadableMessageError, match="repeats a field"):
        parse_body(text)


def test_a_message_has_no_more_records_than_s3_would_send() -> None:
    with pytest.raises(
        UnreadableMessageError, match=r"^Records has 4,200 records, but must have at most 10$"
    ):
        parse_body(json.dumps({"Records": [s3_record(upload())] * 4_200}))


def test_one_record_that_cannot_be_understood_refuses_the_whole_message() -> None:
    records = [s3_record(ONE), changed("s3.object.key", 7)]

    with pytest.raises(UnreadableMessageError, match=r"^Records\[1\]\.s3\.object\.key"):
        parse_body(json.dumps({"Records": records}))
