"""Lambda: functions, layers, event source mappings and permissions."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.archives import zip_bytes
from local.provider.patterns import never_updated, undone_on_failure, update_tags
from local.provider.resource_types import ANY, Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import camel, physical_name, request

FUNCTION_NAME_LENGTH = 64
STATEMENT_ID_LENGTH = 100

INVOCATION_PATH = "path/2015-03-31/functions/{arn}/invocations"
"""The end of the ARN by which API Gateway calls a function."""

_CONFIGURATION = fields(
    *("description", "handler", "layers", "memorySize", "role", "runtime", "timeout"),
    ephemeralStorage=fields("size"),
    loggingConfig=fields("logFormat", "logGroup", "applicationLogLevel", "systemLogLevel"),
    tracingConfig=fields("mode"),
)
"""The part of a function's inputs that Lambda calls the same, and changes in one call."""

_FUNCTION = {
    **fields(
        *("name", "architectures", "code", "packageType", "publish", "reservedConcurrentExecutions", "tags"),
        environment=fields("variables"),
    ),
    **_CONFIGURATION,
}


def _create_function(aws: Aws, name: str, inputs: Inputs) -> Created:
    functions = aws.client("lambda")
    function_name = physical_name(inputs, name, max_length=FUNCTION_NAME_LENGTH)
    created = functions.create_function(
        FunctionName=function_name,
        Code={"ZipFile": zip_bytes(inputs["code"])},
        Tags=inputs.get("tags") or {},
        **request(inputs, ("architectures", "packageType", "publish")),
        **_configuration(inputs),
    )
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
        **camel(configuration, _CONFIGURATION),
        "architectures": configuration.get("Architectures"),
        "environment": camel(configuration.get("Environment"), fields("variables")),
        "layers": [layer["Arn"] for layer in configuration.get("Layers", [])],
        "packageType": configuration.get("PackageType"),
        "reservedConcurrentExecutions": found.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        "tags": found.get("Tags"),
        # If somebody else uploaded the code, there is no archive of it here.
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
    options = request(change.inputs, ("architectures", "publish"))
    updated = functions.update_function_code(FunctionName=function, ZipFile=code, **options)
    _wait_until_updated(aws, function)
    return {"codeSha256": updated["CodeSha256"], "version": updated["Version"]}


def _configuration(inputs: Inputs) -> Any:
    # The names of environment variables are data: they stay as they are.
    environment = inputs.get("environment")
    variables = {"Environment": {"Variables": environment.get("variables") or {}}} if environment else {}
    return {**request(inputs, _CONFIGURATION), **variables}


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


_LAYER = fields("compatibleArchitectures", "compatibleRuntimes", "description", "licenseInfo")


def _create_layer_version(aws: Aws, _name: str, inputs: Inputs) -> Created:
    content: Any = {"ZipFile": zip_bytes(inputs["code"])}
    created = aws.client("lambda").publish_layer_version(
        LayerName=inputs["layerName"], Content=content, **request(inputs, _LAYER)
    )
    arn, version = created["LayerVersionArn"], str(created["Version"])
    return Created(id=arn, outputs={"arn": arn, "layerArn": created["LayerArn"], "version": version})


def _read_layer_version(aws: Aws, resource: Existing) -> Inputs:
    found: Inputs = camel(aws.client("lambda").get_layer_version_by_arn(Arn=resource.id), _LAYER)
    return found


def _delete_layer_version(aws: Aws, resource: Existing) -> None:
    if not resource.inputs.get("skipDestroy"):
        name, version = resource.id.rsplit(":", 2)[1:]
        aws.client("lambda").delete_layer_version(LayerName=name, VersionNumber=int(version))


_MAPPING = fields(
    *("batchSize", "enabled", "eventSourceArn", "functionName", "functionResponseTypes"),
    "maximumBatchingWindowInSeconds",
    scalingConfig=fields("maximumConcurrency"),
)


def _create_mapping(aws: Aws, _name: str, inputs: Inputs) -> Created:
    tags = {"Tags": inputs["tags"]} if inputs.get("tags") else {}
    created = aws.client("lambda").create_event_source_mapping(**request(inputs, _MAPPING), **tags)
    arns = {"arn": created["EventSourceMappingArn"], "functionArn": created["FunctionArn"]}
    return Created(id=created["UUID"], outputs={"uuid": created["UUID"], **arns})


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
    if asked := request(different, _MAPPING):
        updated = functions.update_event_source_mapping(UUID=change.resource.id, **asked)
        outputs = {"functionArn": updated["FunctionArn"]}
    arn = change.resource.outputs["arn"]
    update_tags(change, functions.tag_resource, functions.untag_resource, Resource=arn)
    return outputs


_PERMISSION = fields(
    "action", "function", "principal", "qualifier", "sourceAccount", "sourceArn", "statementId"
)


def _create_permission(aws: Aws, name: str, inputs: Inputs) -> Created:
    statement = physical_name(inputs, name, property_name="statementId", max_length=STATEMENT_ID_LENGTH)
    asked = request(inputs, ("action", "principal", "qualifier", "sourceAccount", "sourceArn"))
    aws.client("lambda").add_permission(FunctionName=inputs["function"], StatementId=statement, **asked)
    return Created(id=statement, outputs={"statementId": statement})


def _read_permission(aws: Aws, resource: Existing) -> Inputs | None:
    policy = json.loads(aws.client("lambda").get_policy(**_permitted(resource))["Policy"])
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


def _permitted(permission: Existing) -> Any:
    """Return the parameters that name the function, and the version if the permission is for one."""
    return {"FunctionName": permission.inputs["function"], **request(permission.inputs, ("qualifier",))}


RESOURCE_TYPES = {
    "aws:lambda/function:Function": ResourceType(
        properties=_FUNCTION,
        create=_create_function,
        read=_read_function,
        update=_update_function,
        delete=lambda aws, function: aws.client("lambda").delete_function(FunctionName=function.id),
        replaces=frozenset({"name", "packageType"}),
        defaults={
            "architectures": ANY,
            "description": "",
            "environment": {"variables": {}},
            "ephemeralStorage": {"size": 512},
            "layers": [],
            "loggingConfig": {
                "logFormat": "Text",
                **dict.fromkeys(("logGroup", "applicationLogLevel", "systemLogLevel"), ANY),
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
        delete=lambda aws, one: aws.client("lambda").delete_event_source_mapping(UUID=one.id),
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
        delete=lambda aws, one: aws.client("lambda").remove_permission(**_permitted(one), StatementId=one.id),
        replaces=frozenset(_PERMISSION),
    ),
}
