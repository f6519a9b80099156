"""Lambda: functions, layers, event source mappings and permissions."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.archives import zip_bytes
from local.provider.schema import (
    ANY,
    Change,
    Created,
    Existing,
    Inputs,
    ResourceType,
    camel,
    fields,
    never_updated,
    pascal,
    physical_name,
    present,
    undone_on_failure,
    update_tags,
)

FUNCTION_NAME_LENGTH = 64
STATEMENT_ID_LENGTH = 100

INVOCATION_PATH = "path/2015-03-31/functions/{arn}/invocations"
"""The end of the ARN by which API Gateway calls a function."""

_CONFIGURATION = {
    "description": "Description",
    "handler": "Handler",
    "layers": "Layers",
    "memorySize": "MemorySize",
    "role": "Role",
    "runtime": "Runtime",
    "timeout": "Timeout",
}
"""Input properties, and the parameters that take them unchanged."""

_BLOCKS = {
    "ephemeralStorage": fields("size"),
    "loggingConfig": fields("logFormat", "logGroup", "applicationLogLevel", "systemLogLevel"),
    "tracingConfig": fields("mode"),
}
"""Objects whose properties AWS names in the same way, in its own spelling."""

_FUNCTION = fields(
    *("name", "architectures", "code", "packageType", "publish", "reservedConcurrentExecutions", "tags"),
    *_CONFIGURATION,
    environment=fields("variables"),
    **_BLOCKS,
)


def _create_function(aws: Aws, name: str, inputs: Inputs) -> Created:
    functions = aws.client("lambda")
    function_name = physical_name(inputs, name, max_length=FUNCTION_NAME_LENGTH)
    request: Any = {
        "FunctionName": function_name,
        "Code": {"ZipFile": zip_bytes(inputs["code"])},
        "Tags": inputs.get("tags") or {},
        **present(inputs, Architectures="architectures", PackageType="packageType", Publish="publish"),
        **_configuration(inputs),
    }
    created = functions.create_function(**request)
    with undone_on_failure(lambda: functions.delete_function(FunctionName=function_name)):
        _reserve(aws, function_name, inputs.get("reservedConcurrentExecutions", -1))
    arn = created["FunctionArn"]
    return Created(
        id=function_name,
        outputs={
            "name": function_name,
            "arn": arn,
            "invokeArn": f"arn:aws:apigateway:{aws.region}:lambda:{INVOCATION_PATH.format(arn=arn)}",
            "version": created["Version"],
            "codeSha256": created["CodeSha256"],
        },
    )


def _read_function(aws: Aws, resource: Existing) -> Inputs:
    found: Any = aws.client("lambda").get_function(FunctionName=resource.id)
    configuration = found["Configuration"]
    applied = resource.outputs.get("codeSha256", configuration["CodeSha256"])
    return {
        **{name: configuration.get(parameter) for name, parameter in _CONFIGURATION.items()},
        **{name: camel(configuration.get(_pascal(name)), shape) for name, shape in _BLOCKS.items()},
        "architectures": configuration.get("Architectures"),
        "environment": camel(configuration.get("Environment"), fields("variables")),
        "layers": [layer["Arn"] for layer in configuration.get("Layers", [])],
        "packageType": configuration.get("PackageType"),
        "reservedConcurrentExecutions": found.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        "tags": found.get("Tags"),
        # Code that somebody else uploaded has no archive here.
        **({} if configuration["CodeSha256"] == applied else {"code": None}),
    }


def _update_function(aws: Aws, change: Change) -> Mapping[str, Any]:
    functions, function, different = aws.client("lambda"), change.resource.id, change.different
    if configuration := _configuration(different):
        functions.update_function_configuration(FunctionName=function, **configuration)
        _wait_until_updated(aws, function)
    outputs = _update_code(aws, change)
    if "reservedConcurrentExecutions" in different:
        _reserve(aws, function, different["reservedConcurrentExecutions"])
    arn = change.resource.outputs["arn"]
    update_tags(change, functions.tag_resource, functions.untag_resource, Resource=arn)
    return outputs


def _update_code(aws: Aws, change: Change) -> Mapping[str, Any]:
    """Upload the code unless the function has it already, whatever the path of its archive is now."""
    functions, function = aws.client("lambda"), change.resource.id
    code = zip_bytes(change.inputs["code"])
    live = functions.get_function_configuration(FunctionName=function)["CodeSha256"]
    if _sha256(code) == live and "architectures" not in change.different:
        return {"codeSha256": live}
    request: Any = present(change.inputs, Architectures="architectures", Publish="publish")
    updated = functions.update_function_code(FunctionName=function, ZipFile=code, **request)
    _wait_until_updated(aws, function)
    return {"codeSha256": updated["CodeSha256"], "version": updated["Version"]}


def _delete_function(aws: Aws, resource: Existing) -> None:
    aws.client("lambda").delete_function(FunctionName=resource.id)


def _configuration(inputs: Inputs) -> dict[str, Any]:
    blocks = {_pascal(name): pascal(inputs[name]) for name in _BLOCKS if inputs.get(name) is not None}
    # The names of environment variables are data: they stay as they are.
    environment = inputs.get("environment")
    variables = {"Environment": {"Variables": environment.get("variables") or {}}} if environment else {}
    given = present(inputs, **{parameter: name for name, parameter in _CONFIGURATION.items()})
    return {**given, **blocks, **variables}


def _reserve(aws: Aws, function: str, executions: int) -> None:
    """Reserve concurrent executions: -1 reserves none, and 0 stops the function."""
    functions = aws.client("lambda")
    if executions >= 0:
        functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=executions)
    else:
        functions.delete_function_concurrency(FunctionName=function)


def _wait_until_updated(aws: Aws, function: str) -> None:
    """Wait for the last update to end, since Lambda refuses another one until then."""
    often: Any = {"Delay": 0.1, "MaxAttempts": 600}
    waiter = aws.client("lambda").get_waiter("function_updated_v2")
    waiter.wait(FunctionName=function, WaiterConfig=often)


def _sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _pascal(name: str) -> str:
    return name[0].upper() + name[1:]


_LAYER = {
    "compatibleArchitectures": "CompatibleArchitectures",
    "compatibleRuntimes": "CompatibleRuntimes",
    "description": "Description",
    "licenseInfo": "LicenseInfo",
}


def _create_layer_version(aws: Aws, _name: str, inputs: Inputs) -> Created:
    request: Any = {
        "LayerName": inputs["layerName"],
        "Content": {"ZipFile": zip_bytes(inputs["code"])},
        **present(inputs, **{parameter: name for name, parameter in _LAYER.items()}),
    }
    created = aws.client("lambda").publish_layer_version(**request)
    arn = created["LayerVersionArn"]
    return Created(
        id=arn,
        outputs={"arn": arn, "layerArn": created["LayerArn"], "version": str(created["Version"])},
    )


def _read_layer_version(aws: Aws, resource: Existing) -> Inputs:
    found: Any = aws.client("lambda").get_layer_version_by_arn(Arn=resource.id)
    return {name: found.get(parameter) for name, parameter in _LAYER.items()}


def _delete_layer_version(aws: Aws, resource: Existing) -> None:
    if not resource.inputs.get("skipDestroy"):
        name, version = resource.id.rsplit(":", 2)[1:]
        aws.client("lambda").delete_layer_version(LayerName=name, VersionNumber=int(version))


_MAPPING = fields(
    "batchSize",
    "enabled",
    "eventSourceArn",
    "functionName",
    "functionResponseTypes",
    "maximumBatchingWindowInSeconds",
    scalingConfig=fields("maximumConcurrency"),
)


def _create_mapping(aws: Aws, _name: str, inputs: Inputs) -> Created:
    request: Any = _mapping_request(inputs)
    if inputs.get("tags"):
        request["Tags"] = inputs["tags"]
    created = aws.client("lambda").create_event_source_mapping(**request)
    return Created(
        id=created["UUID"],
        outputs={
            "uuid": created["UUID"],
            "arn": created["EventSourceMappingArn"],
            "functionArn": created["FunctionArn"],
        },
    )


def _read_mapping(aws: Aws, resource: Existing) -> Inputs | None:
    functions = aws.client("lambda")
    found: Any = functions.get_event_source_mapping(UUID=resource.id)
    if found["State"] == "Deleting":
        return None
    function, arn = resource.inputs["functionName"], found["FunctionArn"]
    return {
        **camel(found, _MAPPING),
        "enabled": found["State"] not in ("Disabled", "Disabling"),
        "functionName": function if arn.endswith(f":function:{function}") else arn,
        "tags": functions.list_tags(Resource=resource.outputs["arn"]).get("Tags"),
    }


def _update_mapping(aws: Aws, change: Change) -> Mapping[str, Any]:
    functions, different = aws.client("lambda"), change.different
    outputs = {}
    if request := _mapping_request(different):
        updated = functions.update_event_source_mapping(UUID=change.resource.id, **request)
        outputs = {"functionArn": updated["FunctionArn"]}
    arn = change.resource.outputs["arn"]
    update_tags(change, functions.tag_resource, functions.untag_resource, Resource=arn)
    return outputs


def _delete_mapping(aws: Aws, resource: Existing) -> None:
    aws.client("lambda").delete_event_source_mapping(UUID=resource.id)


def _mapping_request(inputs: Inputs) -> dict[str, Any]:
    return {_pascal(name): pascal(inputs[name]) for name in _MAPPING if inputs.get(name) is not None}


_PERMISSION = fields(
    "action", "function", "principal", "qualifier", "sourceAccount", "sourceArn", "statementId"
)


def _create_permission(aws: Aws, name: str, inputs: Inputs) -> Created:
    statement = physical_name(inputs, name, property_name="statementId", max_length=STATEMENT_ID_LENGTH)
    request: Any = {
        "FunctionName": inputs["function"],
        "StatementId": statement,
        **present(
            inputs,
            Action="action",
            Principal="principal",
            Qualifier="qualifier",
            SourceAccount="sourceAccount",
            SourceArn="sourceArn",
        ),
    }
    aws.client("lambda").add_permission(**request)
    return Created(id=statement, outputs={"statementId": statement})


def _read_permission(aws: Aws, resource: Existing) -> Inputs | None:
    request: Any = _permitted(resource)
    policy = json.loads(aws.client("lambda").get_policy(**request)["Policy"])
    found = next((one for one in policy["Statement"] if one["Sid"] == resource.id), None)
    if found is None:
        return None
    principal = found["Principal"]
    conditions = {
        key.lower(): value for block in found.get("Condition", {}).values() for key, value in block.items()
    }
    return {
        "action": found["Action"],
        "principal": principal if isinstance(principal, str) else next(iter(principal.values())),
        "sourceAccount": conditions.get("aws:sourceaccount"),
        "sourceArn": conditions.get("aws:sourcearn"),
    }


def _delete_permission(aws: Aws, resource: Existing) -> None:
    request: Any = _permitted(resource)
    aws.client("lambda").remove_permission(**request, StatementId=resource.id)


def _permitted(resource: Existing) -> dict[str, Any]:
    return present(resource.inputs, FunctionName="function", Qualifier="qualifier")


RESOURCE_TYPES = {
    "aws:lambda/function:Function": ResourceType(
        properties=_FUNCTION,
        create=_create_function,
        read=_read_function,
        update=_update_function,
        delete=_delete_function,
        replaces=frozenset({"name", "packageType"}),
        defaults={
            "architectures": ANY,
            "description": "",
            "environment": {"variables": {}},
            "ephemeralStorage": {"size": 512},
            "layers": [],
            "loggingConfig": {
                "logFormat": "Text",
                "logGroup": ANY,
                "applicationLogLevel": ANY,
                "systemLogLevel": ANY,
            },
            "memorySize": 128,
            "packageType": "Zip",
            "reservedConcurrentExecutions": -1,
            "timeout": 3,
            "tracingConfig": {"mode": "PassThrough"},
        },
    ),
    "aws:lambda/layerVersion:LayerVersion": ResourceType(
        properties=fields("code", "layerName", "skipDestroy", "sourceCodeHash", *_LAYER),
        create=_create_layer_version,
        read=_read_layer_version,
        update=never_updated,
        delete=_delete_layer_version,
        replaces=frozenset({"code", "layerName", "sourceCodeHash", *_LAYER}),
        defaults={"description": ""},
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": ResourceType(
        properties={**_MAPPING, "tags": None},
        create=_create_mapping,
        read=_read_mapping,
        update=_update_mapping,
        delete=_delete_mapping,
        replaces=frozenset({"eventSourceArn"}),
        defaults={
            "batchSize": 10,
            "enabled": True,
            "functionResponseTypes": [],
            "maximumBatchingWindowInSeconds": 0,
            "scalingConfig": {},
        },
    ),
    "aws:lambda/permission:Permission": ResourceType(
        properties=_PERMISSION,
        create=_create_permission,
        read=_read_permission,
        update=never_updated,
        delete=_delete_permission,
        replaces=frozenset(_PERMISSION),
    ),
}
