"""CloudWatch: alarms over metrics, and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.schema import (
    ANY,
    Change,
    Created,
    Existing,
    Inputs,
    ResourceType,
    fields,
    key_value_tags,
    physical_name,
    present,
    tags_of,
    update_tags,
)

ALARM_NAME_LENGTH = 255

_ALARM = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "evaluationPeriods": "EvaluationPeriods",
    "extendedStatistic": "ExtendedStatistic",
    "insufficientDataActions": "InsufficientDataActions",
    "metricName": "MetricName",
    "namespace": "Namespace",
    "okActions": "OKActions",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}
"""Input properties, and the parameters that take them."""


def _create_alarm(aws: Aws, name: str, inputs: Inputs) -> Created:
    alarm = physical_name(inputs, name, max_length=ALARM_NAME_LENGTH)
    arn = aws.arn("cloudwatch", f"alarm:{alarm}")
    _put_alarm(aws, alarm, inputs, Tags=key_value_tags(inputs.get("tags")))
    return Created(id=alarm, outputs={"name": alarm, "arn": arn})


def _read_alarm(aws: Aws, resource: Existing) -> Inputs | None:
    cloudwatch = aws.client("cloudwatch")
    alarms: Any = cloudwatch.describe_alarms(AlarmNames=[resource.id])["MetricAlarms"]
    if not alarms:
        return None
    tags = cloudwatch.list_tags_for_resource(ResourceARN=resource.outputs["arn"])["Tags"]
    return {
        **{name: alarms[0].get(parameter) for name, parameter in _ALARM.items()},
        "dimensions": {one["Name"]: one["Value"] for one in alarms[0].get("Dimensions", [])},
        "tags": tags_of(tags),
    }


def _update_alarm(aws: Aws, change: Change) -> Mapping[str, Any]:
    cloudwatch, alarm = aws.client("cloudwatch"), change.resource.id
    if set(change.different) - {"tags"}:
        _put_alarm(aws, alarm, change.inputs)
    arn, spell = change.resource.outputs["arn"], key_value_tags
    update_tags(change, cloudwatch.tag_resource, cloudwatch.untag_resource, spell=spell, ResourceARN=arn)
    return {}


def _delete_alarm(aws: Aws, resource: Existing) -> None:
    aws.client("cloudwatch").delete_alarms(AlarmNames=[resource.id])


def _put_alarm(aws: Aws, alarm: str, inputs: Inputs, **more: Any) -> None:
    dimensions = inputs.get("dimensions") or {}
    request: Any = {
        "AlarmName": alarm,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        **present(inputs, **{parameter: name for name, parameter in _ALARM.items()}),
        **more,
    }
    aws.client("cloudwatch").put_metric_alarm(**request)


def _create_dashboard(aws: Aws, _name: str, inputs: Inputs) -> Created:
    dashboard = inputs["dashboardName"]
    arn = f"arn:aws:cloudwatch::{aws.account_id()}:dashboard/{dashboard}"
    _put_dashboard(aws, dashboard, inputs)
    return Created(id=dashboard, outputs={"dashboardArn": arn})


def _read_dashboard(aws: Aws, resource: Existing) -> Inputs:
    found = aws.client("cloudwatch").get_dashboard(DashboardName=resource.id)
    return {"dashboardBody": found["DashboardBody"]}


def _update_dashboard(aws: Aws, change: Change) -> Mapping[str, Any]:
    _put_dashboard(aws, change.resource.id, change.inputs)
    return {}


def _put_dashboard(aws: Aws, dashboard: str, inputs: Inputs) -> None:
    aws.client("cloudwatch").put_dashboard(DashboardName=dashboard, DashboardBody=inputs["dashboardBody"])


def _delete_dashboard(aws: Aws, resource: Existing) -> None:
    aws.client("cloudwatch").delete_dashboards(DashboardNames=[resource.id])


RESOURCE_TYPES = {
    "aws:cloudwatch/dashboard:Dashboard": ResourceType(
        properties=fields("dashboardBody", "dashboardName"),
        create=_create_dashboard,
        read=_read_dashboard,
        update=_update_dashboard,
        delete=_delete_dashboard,
        replaces=frozenset({"dashboardName"}),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ResourceType(
        properties=fields("dimensions", "name", "tags", *_ALARM),
        create=_create_alarm,
        read=_read_alarm,
        update=_update_alarm,
        delete=_delete_alarm,
        replaces=frozenset({"name"}),
        defaults={
            "actionsEnabled": True,
            # The emulator returns one beside an extended statistic; AWS has one or the other.
            "statistic": ANY,
            "treatMissingData": "missing",
        },
    ),
}
