from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local import LocalError
from local.provider import provider
from local.provider.archives import zip_bytes
from local.provider.resource_types import Existing
from local.provider.spelling import physical_name
from tests.local.account import NOTHING


@pytest.mark.parametrize(
    ("type_", "inputs", "said"),
    [
        ("aws:ec2/vpc:Vpc", {}, "does not know this resource type"),
        ("aws:s3/bucket:Bucket", {"bucketPrefix": "b-"}, "would not apply bucketPrefix;"),
        (
            "aws:s3/bucketNotification:BucketNotification",
            {"bucket": "b", "queues": [{"queueArn": "a"}, {"events": [], "filter": "x"}]},
            r"would not apply queues\[1\].filter;",
        ),
        (
            "aws:lambda/function:Function",
            {"loggingConfig": {"colour": "red"}},
            "would not apply loggingConfig.colour;",
        ),
        ("aws:dynamodb/table:Table", {"ttl": {"enabled": False}}, "would not apply ttl;"),
        ("aws:sqs/queue:Queue", {"size": 1, "color": 2, "delaySeconds": 3}, "would not apply color, size;"),
        (
            "aws:s3/bucketPolicy:BucketPolicy",
            {"bucket": "b", "policy": '{"Statement": [{"Resource": ["arn:a", null]}]}'},
            r"no value at Statement\[0\].Resource\[1\]",
        ),
        ("aws:iam/role:Role", {}, "the input property 'assumeRolePolicy' is missing"),
        ("aws:cloudwatch/logGroup:LogGroup", {"name": "g"}, ""),  # the endpoint does not answer
    ],
)
def test_what_cannot_be_made_is_told_with_type_and_name(
    type_: str, inputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(LocalError, match=rf"^{type_} 'thing': .*{said}"):
        provider.create(NOTHING, type_, "thing", inputs)


def test_check_takes_inputs_that_are_missing_or_not_known_yet() -> None:
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

    provider.check("aws:s3/bucketNotification:BucketNotification", "events", {"queues": unknown})


def test_check_refuses_what_create_would_refuse() -> None:
    with pytest.raises(LocalError, match=r"aws:sqs/queue:Queue 'queue': .* would not apply fifoQueue;"):
        provider.check("aws:sqs/queue:Queue", "queue", {"fifoQueue": True})


def test_update_refuses_a_property_that_would_not_be_applied() -> None:
    with pytest.raises(LocalError, match=r"aws:sqs/queue:Queue 'queue': .* would not apply fifoQueue;"):
        provider.update(NOTHING, "aws:sqs/queue:Queue", "queue", existing({}), {"fifoQueue": True})


@pytest.mark.parametrize("type_", sorted(provider.RESOURCE_TYPES))
def test_table_names_no_property_that_its_type_does_not_have(type_: str) -> None:
    known = provider.RESOURCE_TYPES[type_]

    assert known.replaces | set(known.defaults) <= set(known.properties)


REPLACING = {
    **{type_: ["bucket"] for type_ in provider.RESOURCE_TYPES if type_.startswith("aws:s3/bucket")},
    "aws:apigatewayv2/api:Api": ["protocolType"],
    "aws:apigatewayv2/authorizer:Authorizer": ["apiId"],
    "aws:apigatewayv2/integration:Integration": ["apiId", "integrationType"],
    "aws:apigatewayv2/route:Route": ["apiId"],
    "aws:apigatewayv2/stage:Stage": ["apiId", "name"],
    "aws:cloudwatch/dashboard:Dashboard": ["dashboardName"],
    "aws:cloudwatch/eventRule:EventRule": ["name"],
    "aws:cloudwatch/eventTarget:EventTarget": ["rule", "targetId"],
    "aws:cloudwatch/logGroup:LogGroup": ["logGroupClass", "name", "namePrefix"],
    "aws:cloudwatch/metricAlarm:MetricAlarm": ["name"],
    "aws:dynamodb/table:Table": ["hashKey", "name", "rangeKey"],
    "aws:iam/role:Role": ["name", "namePrefix", "path"],
    "aws:iam/rolePolicy:RolePolicy": ["name", "namePrefix", "role"],
    "aws:kms/alias:Alias": ["name", "namePrefix"],
    "aws:kms/key:Key": ["customerMasterKeySpec", "keyUsage", "multiRegion"],
    "aws:lambda/eventSourceMapping:EventSourceMapping": ["eventSourceArn"],
    "aws:lambda/function:Function": ["name", "packageType"],
    "aws:lambda/layerVersion:LayerVersion": [
        *("code", "compatibleArchitectures", "compatibleRuntimes", "description", "layerName"),
        *("licenseInfo", "sourceCodeHash"),
    ],
    "aws:lambda/permission:Permission": [
        *("action", "function", "principal", "qualifier", "sourceAccount", "sourceArn", "statementId"),
    ],
    "aws:s3/bucket:Bucket": ["bucket", "objectLockEnabled"],
    "aws:sns/topic:Topic": ["name"],
    "aws:sns/topicPolicy:TopicPolicy": ["arn"],
    "aws:sns/topicSubscription:TopicSubscription": ["endpoint", "protocol", "topic"],
    "aws:sqs/queue:Queue": ["name"],
    "aws:sqs/queuePolicy:QueuePolicy": ["queueUrl"],
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": ["queueUrl"],
    "aws:sqs/redrivePolicy:RedrivePolicy": ["queueUrl"],
}


@pytest.mark.parametrize("type_", sorted(provider.RESOURCE_TYPES))
def test_what_aws_cannot_change_is_replaced(type_: str) -> None:
    assert provider.replaced_by(type_, provider.RESOURCE_TYPES[type_].properties) == REPLACING[type_]


def test_read_and_delete_name_type_and_resource_if_the_endpoint_does_not_answer() -> None:
    said = r"aws:sqs/queue:Queue 'the-id': "

    with pytest.raises(LocalError, match=said):
        provider.read(NOTHING, "aws:sqs/queue:Queue", existing({}))
    with pytest.raises(LocalError, match=said):
        provider.delete(NOTHING, "aws:sqs/queue:Queue", existing({}))


def existing(inputs: dict[str, Any]) -> Existing:
    return Existing(id="the-id", inputs=inputs, outputs=inputs)


def test_unknown_data_source_is_refused_naming_it() -> None:
    with pytest.raises(LocalError, match=r"aws:ec2/getVpc:getVpc: .* does not know this data source"):
        provider.call(NOTHING, "aws:ec2/getVpc:getVpc", {})


def test_argument_of_a_data_source_that_would_not_be_applied_is_refused_naming_both() -> None:
    with pytest.raises(LocalError, match=r"aws:index/getRegion:getRegion: .* would not apply endpoint"):
        provider.call(NOTHING, "aws:index/getRegion:getRegion", {"endpoint": "x", "region": None})


@pytest.mark.parametrize(
    ("inputs", "pattern"),
    [
        ({}, r"logical-[0-9a-f]{7}"),
        ({"name": "given"}, r"given"),
        ({"namePrefix": "/aws/prefix-"}, r"/aws/prefix-[0-9a-f]{7}"),
    ],
)
def test_physical_name_is_the_given_one_or_made_as_pulumi_does(inputs: dict[str, str], pattern: str) -> None:
    assert re.fullmatch(pattern, physical_name(inputs, "logical", max_length=64))


def test_physical_name_of_a_long_logical_name_keeps_its_digits_and_the_limit() -> None:
    names = {physical_name({}, "x" * 100, max_length=64) for _ in range(2)}

    assert {len(name) for name in names} == {64}
    assert len(names) == 2


def test_archive_of_the_same_content_has_the_same_bytes_whatever_the_dates(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text("x = 1\n")
    archive = pulumi.AssetArchive(
        {"pkg/b.txt": pulumi.StringAsset("b"), "pkg/a.py": pulumi.FileAsset(str(source))}
    )
    before = zip_bytes(archive)
    os.utime(source, (1, 1))

    assert zip_bytes(archive) == before
    with zipfile.ZipFile(io.BytesIO(before)) as packed:
        assert packed.namelist() == ["pkg/a.py", "pkg/b.txt"]
        assert packed.read("pkg/a.py") == b"x = 1\n"


def test_archive_of_a_folder_has_its_files_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_text("a")

    with zipfile.ZipFile(io.BytesIO(zip_bytes(pulumi.FileArchive(str(tmp_path))))) as packed:
        assert packed.namelist() == ["pkg/a.py"]


def test_archive_with_a_missing_file_is_refused_naming_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing.py"

    with pytest.raises(LocalError, match=f"cannot read {missing}"):
        zip_bytes(pulumi.AssetArchive({"missing.py": pulumi.FileAsset(str(missing))}))
