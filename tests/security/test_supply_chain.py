"""What is shipped, and what it tells: nothing that is not listed, and nothing that is secret."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from components.layer_archive import write_zip
from components.python_function import source_files
from tests.components.mocks import REPOSITORY
from tests.components.programs import graph_of
from tests.functions.examples import PNG, s3_record
from tests.functions.http_events import Context, http_event
from tests.security.account import JSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.security.account import Account

FUNCTION = "aws:lambda/function:Function"
LAYER = "aws:lambda/layerVersion:LayerVersion"
GRAPHS = ["dev", "prod", "local", "jwt", "two of each"]


class TestPinnedAndHashed:
    """Every package is named with its one version and the hashes of its files, and comes from PyPI alone."""

    LISTS = ("requirements.txt", "requirements-dev.txt", "functions/requirements.txt")

    @pytest.mark.parametrize("name", LISTS)
    @pytest.mark.claim(
        "every package is pinned to a version and its hashes, including those of the functions",
        section="Supply chain",
    )
    def test_list_names_each_package_once_with_its_version_and_hashes(self, name: str) -> None:
        assert pins_of(name)

    @pytest.mark.parametrize(
        "line",
        [
            *("jmespath", "jmespath==1.1.0", "jmespath>=1.1.0 --hash=sha256:" + "0" * 64),
            *("jmespath==1.* --hash=sha256:" + "0" * 64, "jmespath==1.1.0 --hash=md5:" + "0" * 32),
            *(
                "--index-url https://packages.example.com/simple",
                "--extra-index-url https://x",
                "--find-links x",
            ),
            *("--trusted-host pypi.example.com", "-r other.txt", "-e .", "--pre", "./jmespath.whl"),
            *("jmespath @ https://example.com/jmespath.whl", "git+https://example.com/jmespath.git"),
        ],
    )
    def test_any_other_line_would_be_refused(self, line: str) -> None:
        with pytest.raises(AssertionError):
            parse_pins(f"{line}\n")

    @pytest.mark.parametrize("name", ["requirements.txt", "functions/requirements.txt"])
    def test_what_is_deployed_is_what_is_tested(self, name: str) -> None:
        tested = pins_of("requirements-dev.txt")

        assert {package: tested.get(package) for package in pins_of(name)} == pins_of(name)

    @pytest.mark.claim(
        "the functions are tested with the same versions that are deployed", section="Supply chain"
    )
    def test_functions_run_in_the_tests_with_the_versions_of_their_layer(self) -> None:
        pins = pins_of("functions/requirements.txt")

        assert {name: importlib.metadata.version(name) for name in pins} == {
            name: pin.version for name, pin in pins.items()
        }

    def test_layer_list_has_all_that_its_packages_need(self) -> None:
        """The layer is installed with ``--no-deps``: what is not listed would not be there."""
        pins = pins_of("functions/requirements.txt")
        needed = {
            canonical(re.split(r"[^A-Za-z0-9._-]", requirement)[0])
            for name in pins
            for requirement in importlib.metadata.requires(name) or []
            if "extra ==" not in requirement
        }

        assert needed <= pins.keys()


class Pin(NamedTuple):
    version: str
    hashes: frozenset[str]


PIN = re.compile(
    r"(?P<name>[a-z0-9]+(-[a-z0-9]+)*)==(?P<version>[0-9][0-9a-z.!+]*)( ; [^#@]+?)?"
    r"(?P<hashes>( --hash=sha256:[0-9a-f]{64})+)"
)


def pins_of(name: str) -> dict[str, Pin]:
    return parse_pins((REPOSITORY / name).read_text())


def parse_pins(text: str) -> dict[str, Pin]:
    """Read a list of requirements; AssertionError about a line that is anything but a hashed pin."""
    pins: dict[str, Pin] = {}
    for line in re.sub(r" *\\\n +", " ", text).splitlines():
        match = PIN.fullmatch(line)
        assert match, f"not one version with its hashes: {line[:100]}"
        assert match["name"] not in pins, f"listed twice: {match['name']}"
        pins[match["name"]] = Pin(match["version"], frozenset(match["hashes"].split()))
    return pins


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class TestFunctionArchives:
    """An archive has the modules that a handler runs, and nothing that only lay beside them."""

    UNWANTED = (
        *("reader/.env", "reader/credentials", "reader/credentials.json", "reader/private.pem", ".env"),
        *("reader/__pycache__/app.cpython-311.pyc", "reader/__pycache__/app.py", "reader/app.pyc"),
        *("reader/test_app.py", "reader/tests/__init__.py", "reader/tests/helper.py", "reader/conftest.py"),
        *("reader/.hidden.py", "reader/.venv/lib/module.py", "reader/app (copy).py", "reader/app-old.py"),
        *("reader/app.py.orig", "reader/app.py~", "reader/data.csv", "ledger/.aws/credentials"),
    )

    @pytest.mark.parametrize("name", GRAPHS)
    @pytest.mark.claim(
        "an archive holds the modules that its function imports, and nothing else", section="Supply chain"
    )
    def test_archive_has_all_that_its_handler_imports_and_only_modules_that_some_handler_does(
        self, name: str
    ) -> None:
        functions = graph_of(name).of_type(FUNCTION)
        needed = {function.name: imported_from(handler_file(function.inputs)) for function in functions}
        by_anyone = set().union(*needed.values())

        for function in functions:
            archived = set(function.inputs["code"].assets)
            assert needed[function.name] <= archived
            assert archived <= by_anyone, "nobody imports this"
            for path, asset in function.inputs["code"].assets.items():
                assert Path(asset.path) == REPOSITORY / path

    @pytest.mark.parametrize("unwanted", UNWANTED)
    @pytest.mark.claim(
        "caches, tests, credentials and copies don't get into an archive", section="Supply chain"
    )
    def test_what_is_no_module_of_a_function_is_left_out(self, unwanted: str, copied: Path) -> None:
        before = source_files(["reader", "api", "ledger"], root=copied)
        planted = copied / unwanted
        planted.parent.mkdir(parents=True, exist_ok=True)
        planted.write_text("SECRET = 1")

        assert source_files(["reader", "api", "ledger"], root=copied) == before

    def test_a_module_that_nobody_imports_would_be_noticed(self, copied: Path) -> None:
        (copied / "reader" / "credentials.py").write_text("SECRET = 1")

        archived = set(source_files(["reader", "api", "ledger"], root=copied))
        needed = imported_from(copied / "reader" / "handler.py")

        assert "functions/reader/credentials.py" in archived - needed

    @pytest.fixture
    def copied(self, tmp_path: Path) -> Path:
        return Path(
            shutil.copytree(
                REPOSITORY / "functions",
                tmp_path / "functions",
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        )


def handler_file(function: Mapping[str, Any]) -> Path:
    module = str(function["handler"]).removesuffix(".handle")
    return REPOSITORY / f"{module.replace('.', '/')}.py"


def imported_from(handler: Path) -> set[str]:
    """Return the files under ``functions/`` that a handler imports, directly or not, with its own."""
    root = handler.parents[2]
    seen: set[Path] = set()
    todo = [handler]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        packages = [
            parent / "__init__.py" for parent in path.parents if parent.is_relative_to(root / "functions")
        ]
        todo += [*packages, *_imports(path, root)]
    return {path.relative_to(root).as_posix() for path in seen}


def _imports(path: Path, root: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            module = root / name.replace(".", "/")
            yield from (
                file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file()
            )


class TestLayer:
    """The layer has the files of the listed packages, byte for byte as their wheels have them."""

    @pytest.mark.parametrize("name", GRAPHS)
    @pytest.mark.claim(
        "every file of the layer comes from a listed package, byte for byte", section="Supply chain"
    )
    def test_every_file_is_of_a_listed_package(self, name: str) -> None:
        for layer in graph_of(name).of_type(LAYER):
            assert foreign_files(Path(layer.inputs["code"].path)) == []

    @pytest.mark.parametrize("planted", ["python/.env", "python/credentials", "python/filetype/extra.py"])
    def test_any_other_file_would_be_noticed(self, planted: str, tmp_path: Path) -> None:
        archive = repacked_with(planted, "SECRET = 1", tmp_path)

        assert foreign_files(archive) == [planted]

    def test_a_changed_file_would_be_noticed(self, tmp_path: Path) -> None:
        archive = repacked_with("python/filetype/__init__.py", "import os", tmp_path)

        assert foreign_files(archive) == ["python/filetype/__init__.py"]

    @pytest.mark.parametrize("cache", ["python/__pycache__/x.pyc", "python/x.pyc", "python/bin/jp.py"])
    def test_caches_and_scripts_are_left_out(self, cache: str, tmp_path: Path) -> None:
        assert foreign_files(repacked_with(cache, "", tmp_path)) == []


def foreign_files(archive: Path) -> list[str]:
    """Return the files of a layer that are not, with these bytes, in the listed packages."""
    hashes = {
        f"python/{file.as_posix()}": file.hash.value
        for name in pins_of("functions/requirements.txt")
        for file in importlib.metadata.files(name) or []
        if file.hash is not None
    }
    with zipfile.ZipFile(archive) as layer:
        return [name for name in layer.namelist() if hashes.get(name) != wheel_hash(layer.read(name))]


def wheel_hash(data: bytes) -> str:
    """Hash as a wheel's RECORD does (binary distribution format, "Signed wheel files")."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def repacked_with(name: str, content: str, folder: Path) -> Path:
    """Build the program's layer anew after somebody put a file into its folder."""
    unpacked, archive = folder / "unpacked", folder / "layer.zip"
    with zipfile.ZipFile(graph_of("dev").only(LAYER).inputs["code"].path) as layer:
        layer.extractall(unpacked)
    planted = unpacked / name
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(content)
    write_zip(unpacked, archive)
    return archive


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
"""From the documentation of AWS, made to be shown."""


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
"""In pieces, or this file would hold what it looks for."""


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
    """Return the names that say that their value is secret, or whose value looks like it."""
    return [name for name, value in named.items() if SECRET_NAME.search(name) or secrets_in(str(value))]


CONTENT = "TOTAL-12-EUR-TABLE-7"
PRINCIPAL = "AWS:AIDAPRIVATE"
UPLOADER_IP, CALLER_IP = "198.51.100.23", "203.0.113.7"
BEARER, COOKIE, SESSION_TOKEN = (
    "Bearer private.bearer.token",
    "session=private-cookie",
    "private-session-token",
)


@pytest.fixture
def session_token(region: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the functions act with temporary credentials, as they do in Lambda."""
    assert region
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION_TOKEN)
    return SESSION_TOKEN


@pytest.mark.usefixtures("session_token")
class TestNothingSecretIsTold:
    """Neither in a log line nor in an error: no content, no uploader, no caller, no credentials."""

    def private(self) -> list[str]:
        credentials = [os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"], SESSION_TOKEN]
        return [CONTENT, PRINCIPAL, UPLOADER_IP, CALLER_IP, BEARER, COOKIE, *credentials]

    def check(
        self, account: Account, stdout: pytest.CaptureFixture[str], answers: Sequence[str] = ()
    ) -> None:
        logged = [*account.new_log_lines(), *stdout.readouterr().out.splitlines()]
        assert [text for text in (*logged, *answers) for private in self.private() if private in text] == []

    def body(self, account: Account, key: str, data: bytes, **changes: Any) -> str:
        record = s3_record(account.put(key, data))
        record["userIdentity"] = {"principalId": PRINCIPAL}
        record["requestParameters"] = {"sourceIPAddress": UPLOADER_IP}
        return json.dumps({"Records": [record | changes]})

    @pytest.mark.claim(
        "the processor's log has nothing about a receipt's content, credentials or uploaders",
        section="Supply chain",
    )
    def test_processor_on_good_uploads(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        content = CONTENT.encode()
        bodies = [
            self.body(account, "lunch.png", PNG + content),
            self.body(account, "again.png", PNG + content),
            self.body(account, "note.txt", content),
        ]

        assert account.process(*bodies) == account.process(*bodies) == []
        assert account.log.getvalue().count("receipt recorded") == 3
        self.check(account, capsys)

    def test_processor_on_messages_that_it_cannot_read(
        self, account: Account, capsys: pytest.CaptureFixture[str]
    ) -> None:
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
        bodies = [self.body(account, "lunch.png", PNG, **changes) for changes in broken]

        assert len(account.process(*bodies)) == len(bodies)
        assert account.log.getvalue().count("UnreadableMessageError") == len(bodies)
        self.check(account, capsys)

    def test_processor_on_messages_that_were_cut_off(
        self, account: Account, capsys: pytest.CaptureFixture[str]
    ) -> None:
        whole = self.body(account, "lunch.png", PNG)
        cut = [whole[:length] for length in range(1, len(whole), 7)]

        assert len(account.process(*cut)) == len(cut)
        self.check(account, capsys)

    @pytest.mark.parametrize(
        "error",
        [
            ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "GetObject"),
            EndpointConnectionError(endpoint_url="https://s3"),
            RuntimeError("a surprise, with its stack trace"),
        ],
    )
    def test_processor_on_failing_storage(
        self, account: Account, capsys: pytest.CaptureFixture[str], error: Exception
    ) -> None:
        body = self.body(account, "lunch.png", PNG + CONTENT.encode())
        account.trouble.append(error)

        assert account.process(body) == ["m0"]
        assert type(error).__name__ in account.log.getvalue()
        self.check(account, capsys)

    @pytest.mark.claim(
        "the logs and the answers of the API have none of that, either", section="Supply chain"
    )
    def test_api_on_good_and_bad_requests(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        good = {"filename": "lunch.png", "size_bytes": 1, "fingerprint": "ab" * 32}
        answers = [
            *(
                self.answer(account.reader, "GET", "/receipts", query)
                for query in ("", "limit=0", "a=b&cursor=x")
            ),
            *(self.answer(account.reader, "GET", f"/receipts/{name}") for name in ("ab" * 32, "x", "x/y")),
            *(self.answer(account.reader, method, "/receipts") for method in ("POST", "PROPFIND")),
            *(
                self.answer(account.upload_forms, "POST", "/uploads", body=body)
                for body in ("", "[]", "{}", "{")
            ),
        ]
        form = json.loads(self.answer(account.upload_forms, "POST", "/uploads", body=json.dumps(good)))

        self.check(account, capsys, answers)
        assert os.environ["AWS_SECRET_ACCESS_KEY"] not in json.dumps(form)

    @pytest.mark.parametrize("trouble", ["no table", "no permission", "no network"])
    def test_api_on_failing_storage(
        self, account: Account, capsys: pytest.CaptureFixture[str], trouble: str
    ) -> None:
        errors: dict[str, Exception] = {
            "no table": RuntimeError("a surprise, with its stack trace"),
            "no permission": denied("GetItem"),
            "no network": EndpointConnectionError(endpoint_url="https://dynamodb"),
        }
        account.trouble.append(errors[trouble])
        good = json.dumps({"filename": "lunch.png", "size_bytes": 1, "fingerprint": "ab" * 32})
        answers = [
            self.answer(account.reader, "GET", f"/receipts/{'ab' * 32}"),
            self.answer(account.upload_forms, "POST", "/uploads", body=good),
        ]

        assert account.log.getvalue().count("request failed") == 2
        assert all(json.loads(answer)["status"] >= 500 for answer in answers)
        assert "arn:aws" not in "".join(answers)
        assert "Traceback" not in "".join(answers)
        self.check(account, capsys, answers)

    def answer(self, handle: Any, method: str, path: str, query: str = "", body: str | None = None) -> str:
        headers = {**JSON, "authorization": BEARER, "cookie": COOKIE, "x-forwarded-for": CALLER_IP}
        event = http_event(method, path, query, body=body, headers=headers)
        assert event["requestContext"]["http"]["sourceIp"] == CALLER_IP
        event["cookies"] = [COOKIE]
        text = handle(event, Context())["body"]
        assert isinstance(text, str)
        return text


def denied(operation: str) -> ClientError:
    """The error of DynamoDB, which names who was denied what."""
    message = (
        "User: arn:aws:sts::123456789012:assumed-role/reader is not authorized to perform dynamodb:GetItem"
    )
    return ClientError(
        {
            "Error": {"Code": "AccessDeniedException", "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 400},  # type: ignore[typeddict-item]
        },
        operation,
    )


class TestNothingSecretIsKept:
    UNWANTED_NAMES = re.compile(
        r"(^|/)(\.env(\..*)?|\.aws|\.ssh|\.netrc|\.pypirc|\.npmrc|id_(rsa|ed25519|ecdsa)|credentials(\.json)?)($|/)"
        r"|\.(pem|key|p12|pfx|jks|keystore|kdbx|tfstate|pyc)$|(^|/)(__pycache__|\.venv|\.local|\.build)/"
    )

    def test_no_file_of_the_repository_is_of_a_kind_that_holds_keys(self) -> None:
        assert [name for name in repository_files() if self.UNWANTED_NAMES.search(name)] == []

    @pytest.mark.claim("no file of the repository has anything that looks like a key", section="Supply chain")
    def test_no_file_of_the_repository_holds_what_looks_like_a_key(self) -> None:
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
    """Return the files that are in git, or would be with the next ``git add``; skip where there is no git."""
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
