from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apidocs import __main__ as command
from apidocs.documents import documents
from apidocs.openapi import openapi_document
from functions.reader.app import reader_app
from functions.uploads.app import uploads_app
from functions.uploads.forms import UploadForms
from tests.functions.http_events import Context, http_event

FINGERPRINT = "0" * 64
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


@pytest.mark.parametrize("name", documents())
def test_document_is_current(name: str) -> None:
    assert (command.DOCS / name).read_text() == documents()[name], f"docs/{name}: run make docs"


def test_command_writes_what_is_stale_and_check_only_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "DOCS", tmp_path)
    (tmp_path / "openapi.json").write_text("{}")

    assert command.main(["--check"]) == 1
    assert (tmp_path / "openapi.json").read_text() == "{}"
    assert "docs/openapi.json" in capsys.readouterr().err

    assert command.main([]) == 0
    assert command.main(["--check"]) == 0
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == documents()


class Unused:
    """Stands in for what a route reads: a test of routing lets it fail."""

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(name)


@pytest.mark.parametrize("path", openapi_document()["paths"])
@pytest.mark.parametrize("method", METHODS)
def test_functions_route_what_is_documented_and_refuse_other_methods(path: str, method: str) -> None:
    operations = openapi_document()["paths"][path]
    unused: Any = Unused()
    forms = UploadForms(client=unused, bucket="uploads", prefix="uploads/", lifetime=timedelta(minutes=1))
    if path.startswith("/receipts"):
        app = reader_app(read_index=unused, store=unused, shards=1)
    else:
        app = uploads_app(store=unused, forms=forms, max_bytes=1)

    event = http_event(method, path.replace("{fingerprint}", FINGERPRINT), body="")
    answer = app.resolve(event, Context())  # type: ignore[arg-type]

    problem = json.loads(answer["body"])["type"]
    assert (problem == "/problems/method-not-allowed") is (method.lower() not in operations)
    assert problem != "/problems/route-not-found"
