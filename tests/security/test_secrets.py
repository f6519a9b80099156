"""No secret is deployed, kept in the repository, or shown in a log line or in an answer."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local.in_process.events import s3_record
from local.whole_files import png
from tests.components.mocks import REPOSITORY
from tests.components.programs import graph_of
from tests.functions.examples import PNG
from tests.functions.http_events import JSON, http_event
from tests.security.test_supply_chain import FUNCTION, GRAPHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.functions.account import Account

SECRET_NAME = re.compile(
    r"secret|password|passwd|token|credential|private.?key|access.?key|api.?key", re.IGNORECASE
)
SECRET = re.compile(
    "|".join(
        [
            r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",  # AWS: id of an access key
            r"(?i:secret(?:_?(?:access_?)?key)?|passw(?:or)?d|token|api_?key)[\"']?\s*[:=]\s*[\"'][A-Za-z0-9/+_=-]{20,}[\"']",
            r"(?i:aws_secret_access_key)\s*=\s*[A-Za-z0-9/+]{40}",
            r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
            r"\bgh[opsur]_[A-Za-z0-9]{36}\b",  # GitHub
            r"\bxox[abprs]-[A-Za-z0-9-]{10,}",  # Slack
            r"\bpypi-[A-Za-z0-9_-]{50,}",
            r"\bpul-[0-9a-f]{40}\b",  # Pulumi
            r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.",  # JWT
            r"[a-z]://[^/\s:@\"'{}<>]+:[^/\s:@\"'{}<>]+@",  # a URL with a password
        ]
    )
)
EXAMPLES = ("AKIAIOSFODNN7EXAMPLE",)
"""From the documentation of AWS, so it isn't a secret."""


def secrets_in(text: str) -> list[str]:
    return [found for found in SECRET.findall(text) if found not in EXAMPLES]


PLANTED = [
    "AKIA" + "Q" * 16,
    "aws_secret_access_key = '" + "a1B2" * 10 + "'",
    "aws_secret_access_key = " + "a1B2" * 10,
    '"password": "' + "x" * 24 + '"',
    "-----BEGIN RSA PRIVATE " + "KEY-----",
    "-----BEGIN PRIVATE " + "KEY-----",
    "ghp_" + "a" * 36,
    "xoxb-" + "1" * 12,
    "pypi-" + "A" * 60,
    "pul-" + "0a" * 20,
    "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + ".c",
    "postgres://user:" + "hunter2@db/x",
]
"""In pieces, or these tests would find this file."""


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted[:12])
def test_what_looks_like_a_secret_is_found(planted: str) -> None:
    assert secrets_in(f"first line\nkey = {planted}\n") != []


class TestNothingSecretIsDeployed:
    @pytest.mark.parametrize("name", GRAPHS)
    @pytest.mark.claim("no stack output is a secret", section="Supply chain")
    def test_stack_outputs(self, name: str) -> None:
        assert secretive(graph_of(name).exports) == []

    @pytest.mark.parametrize("name", GRAPHS)
    @pytest.mark.claim("no environment variable of a function is a secret", section="Supply chain")
    def test_environment_variables_of_functions(self, name: str) -> None:
        for function in graph_of(name).of_type(FUNCTION):
            assert secretive(function.inputs["environment"]["variables"]) == []

    @pytest.mark.parametrize("name", GRAPHS)
    def test_inputs_of_all_resources(self, name: str) -> None:
        for resource in graph_of(name).resources:
            assert secrets_in(json.dumps(resource.inputs, default=str)) == []

    @pytest.mark.parametrize(
        "named", [{"api_token": "x"}, {"dbPassword": "x"}, {"url": "https://me:" + "secret@example.com"}]
    )
    def test_a_secret_would_be_noticed(self, named: dict[str, str]) -> None:
        assert secretive(named) == list(named)


def secretive(named: Mapping[str, object]) -> list[str]:
    """Return the names that suggest a secret, or whose value looks like one."""
    return [name for name, value in named.items() if SECRET_NAME.search(name) or secrets_in(str(value))]


CONTENT = b"IBAN DE02120300000000202051 Erika Mustermann"
KEY = "erika.mustermann@example.com/Arztrechnung.png"
PRINCIPAL = "AWS:AIDAPRIVATE"
UPLOADER_IP, CALLER_IP = "198.51.100.23", "203.0.113.7"
BEARER, COOKIE, SESSION_TOKEN = (
    "Bearer private.bearer.token",
    "session=private-cookie",
    "private-session-token",
)
GOOD = json.dumps({"filename": "lunch.png", "size_bytes": 1, "fingerprint": "ab" * 32})


class TestNothingSecretIsTold:
    """No log line and no error has a receipt's content or key, its uploader, a caller, or credentials."""

    @pytest.fixture(autouse=True)
    def session_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the functions act with temporary credentials, as they do in Lambda."""
        monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION_TOKEN)

    def message(self, account: Account, data: bytes, key: str = KEY, **changes: Any) -> str:
        record = s3_record(account.put(key, data))
        record["userIdentity"] = {"principalId": PRINCIPAL}
        record["requestParameters"] = {"sourceIPAddress": UPLOADER_IP}
        return json.dumps({"Records": [record | changes]})

    def answer(
        self, account: Account, function: str, method: str, path: str, query: str = "", **more: Any
    ) -> str:
        headers = {**JSON, "authorization": BEARER, "cookie": COOKIE, "x-forwarded-for": CALLER_IP}
        event = http_event(method, path, query, headers=headers, **more)
        assert event["requestContext"]["http"]["sourceIp"] == CALLER_IP
        return account.ask(function, event | {"cookies": [COOKIE]}).text

    def told(self, text: str) -> list[str]:
        """Return what is private in a text."""
        credentials = [os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"], SESSION_TOKEN]
        private = [*CONTENT.decode().split(), "erika", "Arztrechnung", PRINCIPAL, UPLOADER_IP, CALLER_IP]
        return [each for each in (*private, BEARER, COOKIE, *credentials) if each in text]

    @pytest.mark.claim(
        "the processor's log has nothing about a receipt's content, credentials or uploaders",
        section="Supply chain",
    )
    def test_processor_on_good_uploads(self, account: Account) -> None:
        bodies = [
            self.message(account, png(CONTENT)),
            self.message(account, png(CONTENT), key=f"copy of {KEY}"),
            self.message(account, CONTENT, key=f"{KEY}.txt"),
            self.message(account, png(CONTENT)[:-1], key=f"cut {KEY}"),
        ]

        assert account.process(*bodies) == account.process(*bodies) == []

        output = account.output()
        assert output.count("receipt recorded") == 4
        assert self.told(output) == []

    def test_processor_on_messages_that_it_cannot_read(self, account: Account) -> None:
        broken: list[dict[str, Any]] = [
            {"requestParameters": [UPLOADER_IP]},
            {"requestParameters": UPLOADER_IP},
            {"requestParameters": {"sourceIPAddress": [UPLOADER_IP]}},
            {"requestParameters": {"sourceIPAddress": f"{UPLOADER_IP}\ud800"}},
            {"userIdentity": PRINCIPAL},
            {"userIdentity": {"principalId": {"arn": PRINCIPAL}}},
            {"eventVersion": "3.0"},
            {"eventName": "ObjectRemoved:Delete"},
            {"eventTime": "now"},
            {"s3": {}},
        ]
        bodies = [self.message(account, PNG, **changes) for changes in broken]
        whole = self.message(account, PNG)
        cut = [whole[:length] for length in range(1, len(whole), 7)]

        assert len(account.process(*bodies, *cut)) == len(bodies) + len(cut)

        output = account.output()
        assert output.count("UnreadableMessageError") == len(bodies) + len(cut)
        assert self.told(output) == []

    @pytest.mark.parametrize(
        "error",
        [
            ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "GetObject"),
            EndpointConnectionError(endpoint_url="https://s3"),
            RuntimeError("a surprise, with its stack trace"),
        ],
    )
    def test_processor_on_failing_storage(self, account: Account, error: Exception) -> None:
        account.calls.fail_before = lambda *_: error

        assert account.process(self.message(account, png(CONTENT))) == ["m0"]

        output = account.output()
        assert type(error).__name__ in output
        assert self.told(output) == []

    @pytest.mark.claim(
        "the API's logs and answers have nothing about a receipt's content, credentials, tokens or "
        "a caller's address",
        section="Supply chain",
    )
    def test_api_on_good_and_bad_requests(self, account: Account) -> None:
        queries, names = ("", "limit=0", "a=b&cursor=x"), ("ab" * 32, "x", "x/y")
        answers = [
            *(self.answer(account, "reader", "GET", "/receipts", query) for query in queries),
            *(self.answer(account, "reader", "GET", f"/receipts/{name}") for name in names),
            *(self.answer(account, "reader", method, "/receipts") for method in ("POST", "PROPFIND")),
            *(
                self.answer(account, "upload_forms", "POST", "/uploads", body=body)
                for body in ("", "[]", "{}", "{")
            ),
        ]
        answers += [
            self.answer(account, "file_links", "GET", f"/files/{name}", query)
            for name, query in ((names[0], ""), (names[0], "version=x"), ("x", "version="))
        ]
        form = self.answer(account, "upload_forms", "POST", "/uploads", body=GOOD)

        assert "x-amz-security-token" in form, "S3 needs to see it"
        assert os.environ["AWS_SECRET_ACCESS_KEY"] not in form
        assert self.told("\n".join([account.output(), *answers])) == []

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError("a surprise, with its stack trace"),
            ClientError(
                {
                    "Error": {
                        "Code": "AccessDeniedException",
                        "Message": "User: arn:aws:sts::123456789012:assumed-role/reader is not authorized",
                    },
                    "ResponseMetadata": {"HTTPStatusCode": 400},  # type: ignore[typeddict-item]
                },
                "GetItem",
            ),
            EndpointConnectionError(endpoint_url="https://dynamodb"),
        ],
    )
    def test_api_on_failing_storage(self, account: Account, error: Exception) -> None:
        account.calls.fail_before = lambda *_: error
        answers = [
            self.answer(account, "reader", "GET", f"/receipts/{'ab' * 32}"),
            self.answer(account, "file_links", "GET", f"/files/{'ab' * 32}"),
            self.answer(account, "upload_forms", "POST", "/uploads", body=GOOD),
        ]

        output = account.output()
        assert output.count("request failed") == 3
        assert all(json.loads(answer)["status"] >= 500 for answer in answers)
        assert [told for told in ("arn:aws", "Traceback") if told in "".join(answers)] == []
        assert self.told("\n".join([output, *answers])) == []


class TestNothingSecretIsKept:
    UNWANTED_NAMES = re.compile(
        r"(^|/)(\.env(\..*)?|\.aws|\.ssh|\.netrc|\.pypirc|\.npmrc|id_(rsa|ed25519|ecdsa)|credentials(\.json)?)($|/)"
        r"|\.(pem|key|p12|pfx|jks|keystore|kdbx|tfstate|pyc)$|(^|/)(__pycache__|\.venv|\.local|\.build)/"
    )

    def test_no_file_of_the_repository_has_a_name_that_is_used_for_keys(self) -> None:
        assert [name for name in repository_files() if self.UNWANTED_NAMES.search(name)] == []

    @pytest.mark.claim("no file of the repository has anything that looks like a key", section="Supply chain")
    def test_no_file_of_the_repository_has_anything_that_looks_like_a_key(self) -> None:
        texts = ((name, (REPOSITORY / name).read_bytes().decode("latin-1")) for name in repository_files())

        assert {name: found for name, text in texts if (found := secrets_in(text))} == {}

    @pytest.mark.parametrize(
        "name",
        [
            ".env",
            "a/.env.local",
            ".aws/credentials",
            "x/credentials",
            "ca.pem",
            "a.tfstate",
            "a/__pycache__/x.py",
        ],
    )
    def test_a_file_that_may_hold_keys_would_be_noticed(self, name: str) -> None:
        assert self.UNWANTED_NAMES.search(name)


def repository_files() -> list[str]:
    """Return the files that are in git, or that ``git add`` would add. Skip if there is no git."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("not in a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip(f"git cannot list its files: {listed.stderr.strip()}")
    names = [name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    assert len(names) > 100
    return names
