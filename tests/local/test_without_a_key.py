"""What a process of this machine gets from the embedded AWS without a key: nothing."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import ministack
import pytest
from botocore.exceptions import ClientError

from local.embedded_stack import create_user
from local.emulator import HEALTH_PATH
from local.emulator.process import Emulator, running_emulator

BUCKET = "bucket"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

OWN_ROUTES = sorted(
    {
        route
        for file in Path(ministack.__file__).parent.rglob("*.py")
        for route in re.findall(r"/_(?:ministack|localstack)/[\w/.-]*\w", file.read_text(encoding="utf-8"))
    }
)
"""The routes that AWS doesn't have, as ministack's code names them."""

FORM, JSON = "application/x-www-form-urlencoded", "application/x-amz-json-1.0"
ROLE = "RoleSessionName=session&RoleArn=arn:aws:iam::000000000000:role/role"


@dataclass(frozen=True, kw_only=True)
class Deed:
    method: str = "POST"
    path: str = "/"
    body: str = ""
    type: str = ""
    target: str = ""


DEEDS = {
    "list buckets": Deed(method="GET"),
    "make a bucket": Deed(method="PUT", path="/another"),
    "list objects": Deed(method="GET", path=f"/{BUCKET}"),
    "read an object": Deed(method="GET", path=f"/{BUCKET}/key"),
    "write an object": Deed(method="PUT", path=f"/{BUCKET}/another", body="x"),
    "delete an object": Deed(method="DELETE", path=f"/{BUCKET}/key"),
    "list tables": Deed(body="{}", type=JSON, target="DynamoDB_20120810.ListTables"),
    "list queues": Deed(body="{}", type=JSON, target="AmazonSQS.ListQueues"),
    "read the logs": Deed(body="{}", type=JSON, target="Logs_20140328.DescribeLogGroups"),
    "list functions": Deed(method="GET", path="/2015-03-31/functions"),
    "list APIs": Deed(method="GET", path="/v2/apis"),
    "list users": Deed(body="Action=ListUsers", type=FORM),
    "make a user": Deed(body="Action=CreateUser&UserName=another", type=FORM),
    "learn who one is": Deed(body="Action=GetCallerIdentity&Version=2011-06-15", type=FORM),
    "take a role": Deed(body=f"Action=AssumeRole&Version=2011-06-15&{ROLE}", type=FORM),
    "take a role with a token": Deed(
        body=f"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&{ROLE}&WebIdentityToken=a.b.c", type=FORM
    ),
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running_emulator() as running:
        aws = running.administrator
        aws.client("s3").create_bucket(Bucket=BUCKET)
        aws.client("s3").put_object(Bucket=BUCKET, Key="key", Body=b"secret")
        aws.client("iam").create_role(
            RoleName="role",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
        )
        yield running


@pytest.fixture(scope="module")
def key_ids(emulator: Emulator) -> Mapping[str, str]:
    """Ids that somebody may know or guess, without their secrets."""
    return {
        "the administrator's": emulator.administrator.key.id,
        "a user's": create_user(emulator.administrator, "user", json.dumps(EVERYTHING)).id,
        "ministack's default": "test",
        "the account's number": "000000000000",
        "nobody's": "AKIAUNKNOWNUNKNOWN12",
        "none": "",
    }


def send(
    emulator: Emulator, method: str, path: str, headers: Mapping[str, str] | None = None, body: str = ""
) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=str(emulator.administrator.ca_bundle))
    connection = http.client.HTTPSConnection("127.0.0.1", emulator.port, timeout=30, context=context)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def try_everything(emulator: Emulator, headers: Mapping[str, str], query: str = "") -> list[str]:
    """Return what succeeded."""
    done = []
    for name, deed in DEEDS.items():
        about = {"Content-Type": deed.type, "X-Amz-Target": deed.target}
        sent = {**headers, **{header: value for header, value in about.items() if value}}
        if send(emulator, deed.method, deed.path + query, sent, deed.body)[0] < 400:
            done.append(name)
    return done


@pytest.mark.parametrize("route", [*OWN_ROUTES, "/health"])
def test_routes_that_aws_does_not_have_are_closed(emulator: Emulator, route: str) -> None:
    paths = [route, route.replace("/_", "/%5F"), f"{route}?init=1"]
    if route != "/health":  # which may begin the name of a bucket
        paths.append(f"{route}/some/thing")

    answers = {(method, path): send(emulator, method, path) for method in METHODS for path in paths}

    assert set(answers.values()) == {(404, b"")}, answers


def test_nobody_can_reset_it_or_read_its_queues(emulator: Emulator) -> None:
    sqs = emulator.administrator.client("sqs")
    url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="a message")

    assert b"a message" not in send(emulator, "GET", "/_ministack/sqs/messages")[1]
    for path in (
        "/_ministack/reset",
        "/_ministack/reset?init=1",
        "//_ministack/reset",
        "/./_ministack/reset",
    ):
        send(emulator, "POST", path)

    assert sqs.list_queues()["QueueUrls"] == [url]


def test_health_tells_nothing_and_changes_nothing(emulator: Emulator) -> None:
    assert {send(emulator, method, HEALTH_PATH, body="{}") for method in METHODS} == {(204, b"")}


@pytest.mark.parametrize(
    "authorization", [None, "", "garbage", "Basic cm9vdDpyb290", "Bearer a.b.c", "AWS4-HMAC-SHA256 garbage"]
)
def test_nothing_is_done_without_a_signature(emulator: Emulator, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    assert try_everything(emulator, headers) == []


@pytest.mark.parametrize(
    "whose",
    ["the administrator's", "a user's", "ministack's default", "the account's number", "nobody's", "none"],
)
def test_the_id_of_a_key_is_not_enough(emulator: Emulator, key_ids: Mapping[str, str], whose: str) -> None:
    key, now = key_ids[whose], datetime.now(UTC)
    day, time = f"{now:%Y%m%d}", f"{now:%Y%m%dT%H%M%SZ}"
    headers = [{"Authorization": f"AWS {key}:c2lnbmF0dXJl"}, {"Authorization": f"AWS4-HMAC-SHA1 {key}"}]
    for service in ("s3", "iam", "sts", "dynamodb", "sqs", "lambda", "logs", "apigateway"):
        scope = f"Credential={key}/{day}/us-east-1/{service}/aws4_request"
        signature = f"{scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
        headers += [
            {"Authorization": f"AWS4-HMAC-SHA256 {signature}", "X-Amz-Date": time},
            {"Authorization": f"AWS4-HMAC-SHA256 {scope}"},
        ]
    credential = f"X-Amz-Credential={key}/{day}/us-east-1/s3/aws4_request"
    presigned = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&{credential}&X-Amz-Date={time}&X-Amz-SignedHeaders=host"
    queries = [
        f"?{credential}",
        f"?{presigned}",
        f"?{presigned}&X-Amz-Expires=600&X-Amz-Signature={'0' * 64}",
        f"?AWSAccessKeyId={key}",
        f"?AWSAccessKeyId={key}&Signature=x&Expires=1999999999",
    ]

    done = [try_everything(emulator, each) for each in headers]
    done += [
        try_everything(emulator, each, query)
        for query in queries
        for each in ({}, {"Authorization": "garbage"})
    ]

    assert not any(done), done


def test_administrator_needs_the_secret(emulator: Emulator) -> None:
    wrong = emulator.seen_by(replace(emulator.administrator.key, secret="a" * 40))
    try:
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            wrong.client("sqs").list_queues()
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            wrong.client("s3").list_buckets()
    finally:
        wrong.close()
    assert emulator.administrator.client("sts").get_caller_identity()["Arn"].endswith(":root")
