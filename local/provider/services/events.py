"""EventBridge: rules with a schedule, and their targets."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.patterns import update_tags
from local.provider.resource_types import Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import camel, key_value_tags, physical_name, request, tags_of

RULE_NAME_LENGTH = 64

_RULE = fields("description", "scheduleExpression", "state")
"""The inputs that EventBridge calls the same."""

_DEFAULTS = {"description": "", "state": "ENABLED"}


def _create_rule(aws: Aws, name: str, inputs: Inputs) -> Created:
    rule = physical_name(inputs, name, max_length=RULE_NAME_LENGTH)
    arn = _put_rule(aws, rule, inputs, Tags=key_value_tags(inputs.get("tags")))
    return Created(id=rule, outputs={"name": rule, "arn": arn})


def _put_rule(aws: Aws, rule: str, inputs: Inputs, **more: Any) -> str:
    """Put all of a rule, with the defaults, since the emulator keeps what isn't given. AWS doesn't."""
    asked = request({**_DEFAULTS, **inputs}, _RULE)
    arn: str = aws.client("events").put_rule(Name=rule, **asked, **more)["RuleArn"]
    return arn


def _read_rule(aws: Aws, rule: Existing) -> Inputs:
    events = aws.client("events")
    found = events.describe_rule(Name=rule.id)
    tags = events.list_tags_for_resource(ResourceARN=rule.outputs["arn"])["Tags"]
    return {**camel(found, _RULE), "tags": tags_of(tags)}


def _update_rule(aws: Aws, change: Change) -> None:
    events = aws.client("events")
    if set(change.different) - {"tags"}:
        _put_rule(aws, change.resource.id, change.inputs)
    arn = change.resource.outputs["arn"]
    update_tags(change, events.tag_resource, events.untag_resource, spell=key_value_tags, ResourceARN=arn)


def _create_target(aws: Aws, name: str, inputs: Inputs) -> Created:
    target = physical_name(inputs, name, property_name="targetId", max_length=RULE_NAME_LENGTH)
    _put_target(aws, target, inputs)
    return Created(id=f"{inputs['rule']}-{target}", outputs={"targetId": target})


def _put_target(aws: Aws, target: str, inputs: Inputs) -> None:
    put = {"Id": target, "Arn": inputs["arn"]}
    aws.client("events").put_targets(Rule=inputs["rule"], Targets=[put])


def _read_target(aws: Aws, target: Existing) -> Inputs | None:
    targets = aws.client("events").list_targets_by_rule(Rule=target.inputs["rule"])["Targets"]
    found = next((one for one in targets if one["Id"] == target.outputs["targetId"]), None)
    return None if found is None else {"arn": found["Arn"]}


def _delete_target(aws: Aws, target: Existing) -> None:
    aws.client("events").remove_targets(Rule=target.inputs["rule"], Ids=[target.outputs["targetId"]])


RESOURCE_TYPES = {
    "aws:cloudwatch/eventRule:EventRule": ResourceType(
        properties=fields("name", "tags", *_RULE),
        create=_create_rule,
        read=_read_rule,
        update=_update_rule,
        delete=lambda aws, rule: aws.client("events").delete_rule(Name=rule.id),
        replaces=frozenset({"name"}),
        defaults=_DEFAULTS,
    ),
    "aws:cloudwatch/eventTarget:EventTarget": ResourceType(
        properties=fields("arn", "rule", "targetId"),
        create=_create_target,
        read=_read_target,
        update=lambda aws, change: _put_target(aws, change.resource.outputs["targetId"], change.inputs),
        delete=_delete_target,
        replaces=frozenset({"rule", "targetId"}),
    ),
}
