"""Each handler runs with only its archive, its layers and boto3 on its path."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.in_process.events import sqs_event
from tests.components.mocks import Graph
from tests.components.programs import graph_of

IN_THE_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
"""What AWS puts into its Python runtimes: boto3 and what it needs."""

INVOKE = """
import importlib.util, json, sys, types
sys.path += json.loads(sys.argv[1])
module, function = sys.argv[2].rsplit(".", 1)
context = types.SimpleNamespace(
    function_name="test", memory_limit_in_mb=512, aws_request_id="test",
    get_remaining_time_in_millis=lambda: 30000,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:test",
)
answer = getattr(importlib.import_module(module), function)(json.loads(sys.argv[3]), context)
not_there = ("pulumi", "pytest", "components", "local", "cli")
outside = [name for name in not_there if importlib.util.find_spec(name)]
print(json.dumps({"answer": answer, "outside": outside}))
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with boto3 and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in IN_THE_RUNTIME:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        (folder / source.name).symlink_to(source)
    return folder


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The layers that the program registers, unpacked as Lambda does it, by their ARNs."""
    folders = {}
    for layer in graph_of("dev").of_type("aws:lambda/layerVersion:LayerVersion"):
        folder = tmp_path_factory.mktemp("layer")
        with zipfile.ZipFile(layer.inputs["code"].path) as content:
            content.extractall(folder)
        folders[layer.outputs["arn"]] = folder / "python"
    return folders


@pytest.fixture
def invoke(tmp_path: Path, runtime: Path, unpacked: Mapping[str, Path]) -> Callable[..., Any]:
    """Invokes a registered function with what it has there: its archive, its layers and the runtime."""

    def invoked(function: dict[str, Any], event: dict[str, Any]) -> Any:
        layers = [unpacked[arn] for arn in function.get("layers") or ()]
        return run_handler(function, event, tmp_path, *layers, runtime)

    return invoked


def run_handler(function: dict[str, Any], event: dict[str, Any], folder: Path, *libraries: Path) -> Any:
    """Run a function's handler in a fresh interpreter on the files of its archive, and libraries."""
    for name, asset in function["code"].assets.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(asset.path, folder / name)
    environment = {
        **function["environment"]["variables"],
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    path = json.dumps([str(folder), *map(str, libraries)])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", INVOKE, path, function["handler"], json.dumps(event)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=folder,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["outside"] == []
    return result["answer"]


def http_event(method: str, path: str, **changes: Any) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "test",
            "stage": "$default",
        },
        "isBase64Encoded": False,
        **changes,
    }


def test_processor_acknowledges_a_test_event(dev: Graph, invoke: Callable[..., Any]) -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads"})
    event = sqs_event({"1": body})
    function = dev.named("bill-e-ingest-processor-function").inputs
    assert invoke(function, event) == {"batchItemFailures": []}


def test_reader_refuses_an_unknown_parameter(dev: Graph, invoke: Callable[..., Any]) -> None:
    event = http_event(
        "GET", "/receipts", rawQueryString="colour=red", queryStringParameters={"colour": "red"}
    )
    answer = invoke(dev.named("bill-e-api-reader-function").inputs, event)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["type"].startswith("/problems/")


def test_uploads_refuses_an_empty_request(dev: Graph, invoke: Callable[..., Any]) -> None:
    event = http_event("POST", "/uploads", body="{}")
    answer = invoke(dev.named("bill-e-api-uploads-function").inputs, event)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["type"].startswith("/problems/")


def test_handler_does_not_import_without_its_layer(dev: Graph, invoke: Callable[..., Any]) -> None:
    function = dev.named("bill-e-ingest-processor-function").inputs
    with pytest.raises(AssertionError, match="No module named 'filetype'"):
        invoke({**function, "layers": []}, {"Records": []})
