"""Lambda: functions, layers, event source mappings and permissions."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.archives import zip_bytes
from local.provider.schema import (
    Created,
    Inputs,
    ResourceType,
    fields,
    pascal,
    physical_name,
    present,
)

FUNCTION_NAME_LENGTH = 64
STATEMENT_ID_LENGTH = 100

INVOCATION_PATH = "path/2015-03-31/functions/{arn}/invocations"
"""Where API Gateway calls a function, within the ARN that it names it by."""


def _function(aws: Aws, name: str, inputs: Inputs) -> Created:
    functions = aws.client("lambda")
    function_name = physical_name(inputs, name, max_length=FUNCTION_NAME_LENGTH)
    request: Any = {
        "FunctionName": function_name,
        "Code": {"ZipFile": zip_bytes(inputs["code"])},
        "Tags": inputs.get("tags") or {},
        **present(
            inputs,
            Architectures="architectures",
            Description="description",
            Handler="handler",
            Layers="layers",
            MemorySize="memorySize",
            PackageType="packageType",
            Publish="publish",
            Role="role",
            Runtime="runtime",
            Timeout="timeout",
        ),
        **{
            parameter: pascal(inputs[name])
            for parameter, name in {
                "EphemeralStorage": "ephemeralStorage",
                "LoggingConfig": "loggingConfig",
                "TracingConfig": "tracingConfig",
            }.items()
            if inputs.get(name) is not None
        },
        # The names of environment variables are data: they stay as they are.
        **(
            {"Environment": {"Variables": inputs["environment"]["variables"]}}
            if inputs.get("environment")
            else {}
        ),
    }
    created = functions.create_function(**request)
    if inputs.get("reservedConcurrentExecutions", -1) >= 0:
        functions.put_function_concurrency(
            FunctionName=function_name, ReservedConcurrentExecutions=inputs["reservedConcurrentExecutions"]
        )
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


def _layer_version(aws: Aws, _name: str, inputs: Inputs) -> Created:
    request: Any = {
        "LayerName": inputs["layerName"],
        "Content": {"ZipFile": zip_bytes(inputs["code"])},
        **present(
            inputs,
            CompatibleArchitectures="compatibleArchitectures",
            CompatibleRuntimes="compatibleRuntimes",
            Description="description",
            LicenseInfo="licenseInfo",
        ),
    }
    created = aws.client("lambda").publish_layer_version(**request)
    arn = created["LayerVersionArn"]
    return Created(
        id=arn,
        outputs={"arn": arn, "layerArn": created["LayerArn"], "version": str(created["Version"])},
    )


def _event_source_mapping(aws: Aws, _name: str, inputs: Inputs) -> Created:
    names = {name: name[0].upper() + name[1:] for name in _MAPPING_PROPERTIES if name != "tags"}
    request: Any = {parameter: pascal(inputs[name]) for name, parameter in names.items() if name in inputs}
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


def _permission(aws: Aws, name: str, inputs: Inputs) -> Created:
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


_MAPPING_PROPERTIES = fields(
    "batchSize",
    "enabled",
    "eventSourceArn",
    "functionName",
    "functionResponseTypes",
    "maximumBatchingWindowInSeconds",
    "tags",
    scalingConfig=fields("maximumConcurrency"),
)

RESOURCE_TYPES = {
    "aws:lambda/function:Function": ResourceType(
        properties=fields(
            "name",
            "architectures",
            "code",
            "description",
            "handler",
            "layers",
            "memorySize",
            "packageType",
            "publish",
            "reservedConcurrentExecutions",
            "role",
            "runtime",
            "tags",
            "timeout",
            environment=fields("variables"),
            ephemeralStorage=fields("size"),
            loggingConfig=fields("logFormat", "logGroup", "applicationLogLevel", "systemLogLevel"),
            tracingConfig=fields("mode"),
        ),
        create=_function,
    ),
    "aws:lambda/layerVersion:LayerVersion": ResourceType(
        properties=fields(
            "code",
            "compatibleArchitectures",
            "compatibleRuntimes",
            "description",
            "layerName",
            "licenseInfo",
            # Tell Pulumi when to make a new version and whether to delete an old one: there is only one here.
            "skipDestroy",
            "sourceCodeHash",
        ),
        create=_layer_version,
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": ResourceType(
        properties=_MAPPING_PROPERTIES, create=_event_source_mapping
    ),
    "aws:lambda/permission:Permission": ResourceType(
        properties=fields(
            "action", "function", "principal", "qualifier", "sourceAccount", "sourceArn", "statementId"
        ),
        create=_permission,
    ),
}
