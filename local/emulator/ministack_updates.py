"""Adds to ministack: changes of existing resources that it lacks.

- CloudWatch Logs: giving a log group another key ("AssociateKmsKey", "DisassociateKmsKey").
- DynamoDB: an index's own limit on on-demand throughput ("UpdateTable"), and how far back point-in-time
  recovery goes ("UpdateContinuousBackups").
- IAM: removing a description with an empty one ("UpdateRole").
- S3: refusing to suspend the versioning of a bucket with Object Lock ("PutBucketVersioning").
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import cloudwatch_logs, dynamodb, iam, s3

DEFAULT_RECOVERY_DAYS = 35

Response = tuple[int, dict[str, str], bytes]


def install() -> None:
    """Wrap ministack's handlers in handlers that know these changes and leave the rest to ministack's."""
    _install_log_group_keys()
    _install_index_throughput()
    _install_recovery_period()
    _install_empty_descriptions()
    _install_locked_versioning()


def _install_log_group_keys() -> None:
    handle = cloudwatch_logs.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action in ("AssociateKmsKey", "DisassociateKmsKey"):
            return _set_log_group_key(json.loads(body))
        return await handle(method, path, headers, body, query)

    cloudwatch_logs.handle_request = handle_request


def _set_log_group_key(data: Mapping[str, Any]) -> Response:
    name = data.get("logGroupName")
    group = cloudwatch_logs._log_groups.get(name)
    if group is None:
        return _refusal("ResourceNotFoundException", f"The specified log group does not exist: {name}")
    group["kmsKeyId"] = data.get("kmsKeyId")
    return _answer({})


def _install_index_throughput() -> None:
    update_table = dynamodb._update_table

    def update(data: Mapping[str, Any]) -> Response:
        response: Response = update_table(data)
        updates = [update.get("Update") or {} for update in data.get("GlobalSecondaryIndexUpdates") or []]
        limits = {update["IndexName"]: update.get("OnDemandThroughput") for update in updates if update}
        if response[0] == HTTPStatus.OK and any(limits.values()):
            for index in _table(data)["GlobalSecondaryIndexes"]:
                if limit := limits.get(index["IndexName"]):
                    index["OnDemandThroughput"] = limit
        return response

    dynamodb._update_table = update


def _install_recovery_period() -> None:
    update_backups = dynamodb._update_continuous_backups
    describe_backups = dynamodb._describe_continuous_backups

    def update(data: Mapping[str, Any]) -> Response:
        response: Response = update_backups(data)
        if response[0] == HTTPStatus.OK:
            days = data["PointInTimeRecoverySpecification"].get("RecoveryPeriodInDays", DEFAULT_RECOVERY_DAYS)
            _table(data)["RecoveryPeriodInDays"] = days
        return _with_period(data, response)

    def describe(data: Mapping[str, Any]) -> Response:
        return _with_period(data, describe_backups(data))

    dynamodb._update_continuous_backups = update
    dynamodb._describe_continuous_backups = describe


def _table(data: Mapping[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = dynamodb._tables[dynamodb._normalize_table_name(data["TableName"])]
    return table


def _with_period(data: Mapping[str, Any], response: Response) -> Response:
    if response[0] != HTTPStatus.OK:
        return response
    answer = json.loads(response[2])
    recovery = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    if recovery["PointInTimeRecoveryStatus"] == "ENABLED":
        recovery["RecoveryPeriodInDays"] = _table(data)["RecoveryPeriodInDays"]
    return _answer(answer)


def _install_empty_descriptions() -> None:
    iam.parse_qs = functools.partial(iam.parse_qs, keep_blank_values=True)


def _install_locked_versioning() -> None:
    put_versioning = s3._put_bucket_versioning

    def put(bucket: str, body: bytes) -> Any:
        if bucket in s3._bucket_object_lock and b"Suspended" in body:
            return s3._error(
                "InvalidBucketState",
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be "
                "changed.",
                HTTPStatus.CONFLICT,
                f"/{bucket}",
            )
        return put_versioning(bucket, body)

    s3._put_bucket_versioning = put


def _answer(content: Mapping[str, Any]) -> Response:
    response: Response = json_response(content)
    return response


def _refusal(code: str, message: str) -> Response:
    response: Response = error_response_json(code, message, HTTPStatus.BAD_REQUEST)
    return response
