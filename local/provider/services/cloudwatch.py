"""CloudWatch: alarms over metrics, and dashboards."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.patterns import update_tags
from local.provider.resource_types import ANY, Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import camel, key_value_tags, physical_name, present, request, tags_of

ALARM_NAME_LENGTH = 255

_ALARM = fields(
    *("actionsEnabled", "alarmActions", "alarmDescription", "comparisonOperator", "datapointsToAlarm"),
    *("evaluationPeriods", "extendedStatistic", "insufficientDataActions", "metricName", "namespace"),
    *("period", "statistic", "threshold", "treatMissingData", "unit"),
)
"""The inputs that CloudWatch calls the same."""


def _create_alarm(aws: Aws, name: str, inputs: Inputs) -> Created:
    alarm = physical_name(inputs, name, max_length=ALARM_NAME_LENGTH)
    arn = aws.arn("cloudwatch", f"alarm:{alarm}")
    _put_alarm(aws, alarm, inputs, Tags=key_value_tags(inputs.get("tags")))
    return Created(id=alarm, outputs={"name": alarm, "arn": arn})


def _read_alarm(aws: Aws, alarm: Existing) -> Inputs | None:
    cloudwatch = aws.client("cloudwatch")
    alarms: Any = cloudwatch.describe_alarms(AlarmNames=[alarm.id])["MetricAlarms"]
    if not alarms:
        return None
    return {
        **camel(alarms[0], _ALARM),
        "dimensions": {one["Name"]: one["Value"] for one in alarms[0].get("Dimensions", [])},
        "okActions": alarms[0].get("OKActions"),
        "tags": tags_of(cloudwatch.list_tags_for_resource(ResourceARN=alarm.outputs["arn"])["Tags"]),
    }


def _update_alarm(aws: Aws, change: Change) -> None:
    cloudwatch, alarm = aws.client("cloudwatch"), change.resource.id
    if set(change.different) - {"tags"}:
        _put_alarm(aws, alarm, change.inputs)
    arn, spell = change.resource.outputs["arn"], key_value_tags
    update_tags(change, cloudwatch.tag_resource, cloudwatch.untag_resource, spell=spell, ResourceARN=arn)


def _put_alarm(aws: Aws, alarm: str, inputs: Inputs, **more: Any) -> None:
    dimensions: Any = [
        {"Name": key, "Value": value} for key, value in (inputs.get("dimensions") or {}).items()
    ]
    asked = {**request(inputs, _ALARM), **present(inputs, OKActions="okActions"), **more}
    aws.client("cloudwatch").put_metric_alarm(AlarmName=alarm, Dimensions=dimensions, **asked)


def _create_dashboard(aws: Aws, _name: str, inputs: Inputs) -> Created:
    dashboard = inputs["dashboardName"]
    arn = f"arn:aws:cloudwatch::{aws.account_id()}:dashboard/{dashboard}"
    _put_dashboard(aws, dashboard, inputs)
    return Created(id=dashboard, outputs={"dashboardArn": arn})


def _put_dashboard(aws: Aws, dashboard: str, inputs: Inputs) -> None:
    aws.client("cloudwatch").put_dashboard(DashboardName=dashboard, DashboardBody=inputs["dashboardBody"])


RESOURCE_TYPES = {
    "aws:cloudwatch/dashboard:Dashboard": ResourceType(
        properties=fields("dashboardBody", "dashboardName"),
        create=_create_dashboard,
        read=lambda aws, one: camel(
            aws.client("cloudwatch").get_dashboard(DashboardName=one.id), fields("dashboardBody")
        ),
        update=lambda aws, change: _put_dashboard(aws, change.resource.id, change.inputs),
        delete=lambda aws, one: aws.client("cloudwatch").delete_dashboards(DashboardNames=[one.id]),
        replaces=frozenset({"dashboardName"}),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ResourceType(
        properties=fields("dimensions", "name", "okActions", "tags", *_ALARM),
        create=_create_alarm,
        read=_read_alarm,
        update=_update_alarm,
        delete=lambda aws, alarm: aws.client("cloudwatch").delete_alarms(AlarmNames=[alarm.id]),
        replaces=frozenset({"name"}),
        defaults={
            "actionsEnabled": True,
            # The emulator returns one beside an extended statistic; AWS has one or the other.
            "statistic": ANY,
            "treatMissingData": "missing",
        },
    ),
}
