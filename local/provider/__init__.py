"""The provider of the embedded AWS: from a Pulumi resource to the AWS call that makes it.

Each module holds the resource types of one service, with the input properties that are applied. Anything else
is refused: what runs here is what the program says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import Aws
from local.errors import LocalError
from local.provider import apigateway, dynamodb, functions, iam, logs, s3, sqs
from local.provider.schema import Created, Inputs, ResourceType, unknown_properties

RESOURCE_TYPES: Mapping[str, ResourceType] = {
    **apigateway.RESOURCE_TYPES,
    **dynamodb.RESOURCE_TYPES,
    **functions.RESOURCE_TYPES,
    **iam.RESOURCE_TYPES,
    **logs.RESOURCE_TYPES,
    **s3.RESOURCE_TYPES,
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
            f"it knows {', '.join(sorted(RESOURCE_TYPES))}"
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


def call(aws: Aws, token: str) -> dict[str, Any]:
    """Answer a data source, named by its token (``aws:index/getRegion:getRegion``).

    Raises:
        LocalError: the data source is not known here.

    """
    match token:
        case "aws:index/getCallerIdentity:getCallerIdentity":
            identity = aws.client("sts").get_caller_identity()
            return {
                "accountId": identity["Account"],
                "arn": identity["Arn"],
                "id": identity["Account"],
                "userId": identity["UserId"],
            }
        case "aws:index/getRegion:getRegion":
            return {"id": aws.region, "name": aws.region, "region": aws.region}
        case "aws:index/getPartition:getPartition":
            return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com"}
        case _:
            raise LocalError(
                f"{token}: the embedded AWS does not know this data source; "
                "it knows getCallerIdentity, getRegion, getPartition"
            )
