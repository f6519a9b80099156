from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.contract import http_api
from functions.file_links.routes import file_link_routes
from functions.reader.routes import reader_routes
from functions.upload_forms.forms import UploadForms
from functions.upload_forms.routes import upload_form_routes
from generator import __main__ as command
from generator.__main__ import documents
from generator.configuration import package_schema
from generator.openapi import openapi_document


@pytest.mark.parametrize("name", documents())
def test_document_is_current(name: str) -> None:
    assert (command.REPOSITORY / name).read_text() == documents()[name], f"{name}: run make docs"


def test_command_writes_every_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    for folder in ("docs", "package"):
        (tmp_path / folder).mkdir()
    (tmp_path / "docs" / "openapi.json").write_text("{}")

    command.main()

    assert {name: (tmp_path / name).read_text() for name in documents()} == documents()


def test_package_has_the_version_of_the_project() -> None:
    project = tomllib.loads((command.REPOSITORY / "pyproject.toml").read_text())["project"]

    assert package_schema()["version"] == project["version"]


def test_each_function_has_a_handler_for_each_of_its_routes_and_no_other() -> None:
    unused: Any = None
    forms = UploadForms(client=unused, bucket="uploads", prefix="uploads/", lifetime=timedelta(minutes=1))

    reading = reader_routes(read_index=unused, read_history=unused, read_receipts=unused, shards=1)
    linking = file_link_routes(unused, unused)
    uploading = upload_form_routes(find_receipt=unused, is_backed=unused, forms=forms, max_bytes=1)

    assert sorted(reading) == sorted(http_api.READ_ROUTES)
    assert sorted(linking) == sorted(http_api.FILE_ROUTES)
    assert sorted(uploading) == sorted(http_api.UPLOAD_ROUTES)


def test_every_route_is_a_documented_operation_and_no_other() -> None:
    documented = [
        f"{method.upper()} {path}"
        for path, operations in openapi_document()["paths"].items()
        for method in operations
    ]

    assert sorted(documented) == sorted(http_api.ROUTES)
