"""The provider of the embedded AWS: from a Pulumi resource to the AWS call that makes it.

Each module holds the resource types of one service, with the input properties that are applied. Anything else
is refused: what runs here is what the program says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import Aws
from local.errors import LocalError
from local.provider import apigateway, cloudwatch, dynamodb, functions, iam, kms, logs, s3, sns, sqs
from local.provider.schema import Created, Inputs, ResourceType, unknown_properties

RESOURCE_TYPES: Mapping[str, ResourceType] = {
    **apigateway.RESOURCE_TYPES,
    **cloudwatch.RESOURCE_TYPES,
    **dynamodb.RESOURCE_TYPES,
    **functions.RESOURCE_TYPES,
    **iam.RESOURCE_TYPES,
    **kms.RESOURCE_TYPES,
    **logs.RESOURCE_TYPES,
    **s3.RESOURCE_TYPES,
    **sns.RESOURCE_TYPES,
    **sqs.RESOURCE_TYPES,
}


def create(aws: Aws, type_: str, name: str, inputs: Inputs) -> Created:
    """Make a resource of Pulumi type ``type_`` (``aws:s3/bucket:Bucket``) with logical name ``name``.

    Raises:
        LocalError: the type or one of the inputs is not known here, or AWS refuses the call.

    """
    known = RESOURCE_TYPES.get(type_)
    if known is None:
        raise LocalError(
            f"{type_} {name!r}: the embedded AWS does not know this resource type; "
            f"it knows the {len(RESOURCE_TYPES)} types in local/provider/"
        )
    unknown = sorted(unknown_properties(inputs, known.properties))
    if unknown:
        raise LocalError(
            f"{type_} {name!r}: the embedded AWS would not apply {', '.join(unknown)}; "
            f"it applies {', '.join(sorted(known.properties))}"
        )
    try:
        return known.create(aws, name, inputs)
    except (BotoCoreError, ClientError, LocalError) as error:
        raise LocalError(f"{type_} {name!r}: {error}") from error
    except KeyError as error:
        raise LocalError(f"{type_} {name!r}: the input property {error} is missing") from error


def call(aws: Aws, token: str, args: Inputs) -> dict[str, Any]:
    """Answer a data source, named by its token (``aws:index/getRegion:getRegion``); none takes arguments.

    Raises:
        LocalError: the data source or one of its arguments is not known here.

    """
    known = DATA_SOURCES.get(token)
    if known is None:
        raise LocalError(
            f"{token}: the embedded AWS does not know this data source; it knows {', '.join(DATA_SOURCES)}"
        )
    unknown = sorted(name for name, value in args.items() if value is not None)
    if unknown:
        raise LocalError(f"{token}: the embedded AWS would not apply {', '.join(unknown)}")
    return known(aws)


def _caller_identity(aws: Aws) -> dict[str, Any]:
    identity = aws.client("sts").get_caller_identity()
    account = identity["Account"]
    return {"id": account, "accountId": account, "arn": identity["Arn"], "userId": identity["UserId"]}


DATA_SOURCES: Mapping[str, Callable[[Aws], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": lambda _: {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
    },
    "aws:index/getRegion:getRegion": lambda aws: {"id": aws.region, "name": aws.region, "region": aws.region},
}
