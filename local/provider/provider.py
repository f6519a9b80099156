"""What is done with resources of any type, and the data sources."""

from __future__ import annotations

import base64
import contextlib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local import LocalError
from local.aws import Aws
from local.provider.comparison import as_written
from local.provider.resource_types import (
    Change,
    Created,
    Existing,
    Inputs,
    ResourceType,
    difference,
    unknown_properties,
)
from local.provider.services import (
    apigateway,
    cloudwatch,
    dynamodb,
    events,
    iam,
    kms,
    lambda_,
    logs,
    s3,
    s3_configurations,
    sns,
    sqs,
)

_SERVICES = (
    *(apigateway, cloudwatch, dynamodb, events, iam, kms, lambda_, logs, s3, s3_configurations, sns, sqs),
)

RESOURCE_TYPES: Mapping[str, ResourceType] = {
    type_: row for service in _SERVICES for type_, row in service.RESOURCE_TYPES.items()
}

GONE = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "DashboardNotFoundError",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchEntity",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NotFound",
    "NotFoundException",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
}
"""The error codes for a resource that doesn't exist, or whose parent doesn't."""


def check(type_: str, name: str, inputs: Inputs) -> None:
    """Check the type of a resource and the names of its inputs, whose values needn't be known yet.

    Raises:
        LocalError: the type or one of the inputs is not known here.

    """
    known = _known(type_, name)
    unknown = sorted(unknown_properties(inputs, known.properties))
    if unknown:
        raise LocalError(
            f"{type_} {name!r}: the embedded AWS would not apply {', '.join(unknown)}; "
            f"it applies {', '.join(sorted(known.properties))}"
        )


def create(aws: Aws, type_: str, name: str, inputs: Inputs) -> Created:
    """Make a resource of Pulumi type ``type_`` (``aws:s3/bucket:Bucket``) with logical name ``name``.

    Raises:
        LocalError: the type or one of the inputs is not known here, or AWS refuses the call.

    """
    check(type_, name, inputs)
    with _resource_named(type_, name), _missing_inputs_named():
        return _known(type_, name).create(aws, name, inputs)


def read(aws: Aws, type_: str, resource: Existing) -> Inputs | None:
    """Return the inputs of a resource as AWS has them now; ``None`` if the resource is gone.

    A value that means the same as the one last applied is written like it. Properties that the program
    doesn't set are left out, unless somebody has switched them on.

    Raises:
        LocalError: the type is not known here, or AWS refuses the call.

    """
    known = _known(type_, resource.id)
    with _resource_named(type_, resource.id):
        try:
            found = known.read(aws, resource)
        except ClientError as error:
            if _is_gone(error):
                return None
            raise
    if found is None:
        return None
    return as_written(resource.inputs, found, known.properties, known.defaults)


def update(aws: Aws, type_: str, name: str, resource: Existing, inputs: Inputs) -> Mapping[str, Any]:
    """Change a resource in place to ``inputs``, as far as they differ from those last applied.

    Return the outputs that AWS decided on in addition to the inputs.

    Raises:
        LocalError: the type or one of the inputs is not known here, or AWS refuses the call.

    """
    check(type_, name, inputs)
    known = _known(type_, name)
    different = difference(resource, inputs, known.defaults)
    with _resource_named(type_, name), _missing_inputs_named():
        change = Change(name=name, resource=resource, inputs=inputs, different=different)
        return known.update(aws, change) or {}


def delete(aws: Aws, type_: str, resource: Existing) -> None:
    """Delete a resource, as far as AWS allows; if it is gone already, nothing happens.

    Raises:
        LocalError: the type is not known here, or AWS refuses since the resource is not empty, or protected.

    """
    known = _known(type_, resource.id)
    with _resource_named(type_, resource.id):
        try:
            known.delete(aws, resource)
        except ClientError as error:
            if not _is_gone(error):
                raise


def replaced_by(type_: str, changed: Collection[str]) -> list[str]:
    """Return those of the changed inputs that AWS can't change on an existing resource, sorted.

    Raises:
        LocalError: the type is not known here.

    """
    return sorted(_known(type_, "").replaces & set(changed))


def _known(type_: str, name: str) -> ResourceType:
    known = RESOURCE_TYPES.get(type_)
    if known is None:
        raise LocalError(
            f"{type_} {name!r}: the embedded AWS does not know this resource type; "
            f"it knows the {len(RESOURCE_TYPES)} types in local/provider/services/"
        )
    return known


def _is_gone(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in GONE


@contextlib.contextmanager
def _resource_named(type_: str, name: str) -> Iterator[None]:
    """Name the resource in the error of a failure."""
    try:
        yield
    except (BotoCoreError, ClientError, LocalError) as error:
        raise LocalError(f"{type_} {name!r}: {error}") from error


@contextlib.contextmanager
def _missing_inputs_named() -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise LocalError(f"the input property {error} is missing") from error


def call(aws: Aws, token: str, args: Inputs) -> dict[str, Any]:
    """Answer a data source, named by its token (``aws:index/getRegion:getRegion``).

    Raises:
        LocalError: the data source or one of its arguments is not known here.

    """
    known = DATA_SOURCES.get(token)
    if known is None:
        raise LocalError(
            f"{token}: the embedded AWS does not know this data source; it knows {', '.join(DATA_SOURCES)}"
        )
    given = {name: value for name, value in args.items() if value is not None}
    try:
        inspect.signature(known).bind(aws, **given)
    except TypeError as error:
        raise LocalError(f"{token}: the embedded AWS would not apply {', '.join(sorted(given))}") from error
    return known(aws, **given)


def _caller_identity(aws: Aws) -> dict[str, Any]:
    identity = aws.client("sts").get_caller_identity()
    account = identity["Account"]
    return {"id": account, "accountId": account, "arn": identity["Arn"], "userId": identity["UserId"]}


def _public_key(aws: Aws, keyId: str) -> dict[str, Any]:  # noqa: N803 (the argument's name in Pulumi)
    found = aws.client("kms").get_public_key(KeyId=keyId)
    return {
        "id": found["KeyId"],
        "arn": found["KeyId"],
        "keyId": keyId,
        "publicKey": base64.b64encode(found["PublicKey"]).decode(),
    }


DATA_SOURCES: Mapping[str, Callable[..., dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": lambda _: {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
    },
    "aws:index/getRegion:getRegion": lambda aws: {"id": aws.region, "name": aws.region, "region": aws.region},
    "aws:kms/getPublicKey:getPublicKey": _public_key,
}
