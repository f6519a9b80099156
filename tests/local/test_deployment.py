from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from local import STOPPING, LocalError
from local.deployment import deploy
from tests.local.account import NOTHING
from tests.local.stack import DeployedStack


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one setting, which it exports."""
    (tmp_path / "Pulumi.yaml").write_text(
        "name: tiny\nruntime: python\nconfig:\n  size:\n    type: integer\n    default: 3\n"
    )
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  aws:region: eu-test-1\n")
    write_program(tmp_path, "pulumi.export('size', pulumi.Config().require_int('size'))")
    return tmp_path


def write_program(project: Path, body: str) -> None:
    (project / "__main__.py").write_text(f"import pulumi\nimport pulumi_aws as aws\n{dedent(body)}\n")


@pytest.mark.parametrize(
    ("of_the_stack", "given", "size"),
    [("aws:region: eu-test-1", {}, 3), ("tiny:size: 4", {}, 4), ("tiny:size: 4", {"tiny:size": 5}, 5)],
    ids=["default of the project", "of the stack", "given"],
)
def test_setting_is_the_given_one_or_that_of_the_stack_or_the_projects_default(
    project: Path, of_the_stack: str, given: dict[str, int], size: int
) -> None:
    (project / "Pulumi.local.yaml").write_text(f"config:\n  {of_the_stack}\n")

    assert deploy(NOTHING, project, given) == {"size": size}


@pytest.mark.parametrize(
    ("exported", "config", "value"),
    [
        ("pulumi.Config().require_object('names')", {"tiny:names": ["a", "b"]}, ["a", "b"]),
        ("pulumi.Config().require_bool('flag')", {"tiny:flag": False}, False),
        ("pulumi.Output.secret({'inner': 'value'})", {}, {"inner": "value"}),
        ("aws.get_region_output().region", {}, "eu-test-1"),
    ],
    ids=["list", "flag", "secret", "data source"],
)
def test_program_exports_what_it_is_given(
    project: Path, exported: str, config: dict[str, Any], value: Any
) -> None:
    write_program(project, f"pulumi.export('value', {exported})")

    assert deploy(NOTHING, project, config) == {"value": value}


def test_resource_gets_its_real_id_and_outputs(stack: DeployedStack, project: Path) -> None:
    write_program(
        project,
        """
        queue = aws.sqs.Queue("mail", visibility_timeout_seconds=pulumi.Output.secret(7))
        pulumi.export("url", queue.url)
        pulumi.export("id", queue.id)
        pulumi.export("arn", queue.arn)
        """,
    )

    outputs = deploy(stack.administrator, project, {"aws:region": stack.administrator.region})

    attributes = stack.administrator.client("sqs").get_queue_attributes(
        QueueUrl=outputs["url"], AttributeNames=["All"]
    )["Attributes"]
    assert outputs["id"] == outputs["url"]
    assert attributes["QueueArn"] == outputs["arn"]
    assert attributes["VisibilityTimeout"] == "7"


def test_alarm_and_its_topic_are_made_as_they_are_said(stack: DeployedStack, project: Path) -> None:
    write_program(
        project,
        """
        topic = aws.sns.Topic("alarms", tags={"team": "on-call"})
        aws.sns.TopicSubscription("mail", topic=topic.arn, protocol="email", endpoint="on-call@example.com")
        alarm = aws.cloudwatch.MetricAlarm(
            "errors",
            namespace="AWS/Lambda",
            metric_name="Errors",
            dimensions={"FunctionName": "f"},
            statistic="Sum",
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1.5,
            period=300,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            alarm_actions=[topic.arn],
        )
        pulumi.export("topic", topic.arn)
        pulumi.export("alarm", alarm.name)
        """,
    )

    outputs = deploy(stack.administrator, project, {"aws:region": stack.administrator.region})

    described = stack.administrator.client("cloudwatch").describe_alarms(AlarmNames=[outputs["alarm"]])
    (alarm,) = described["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": "f"}]
    assert (alarm["Threshold"], alarm["AlarmActions"]) == (1.5, [outputs["topic"]])
    subscribed = stack.administrator.client("sns").list_subscriptions_by_topic(TopicArn=outputs["topic"])
    assert [one["Endpoint"] for one in subscribed["Subscriptions"]] == ["on-call@example.com"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("aws.ssm.Parameter('p', type='String')", "aws:ssm/parameter:Parameter 'p': .* does not know"),
        ("aws.sqs.Queue('mail', fifo_queue=True)", "aws:sqs/queue:Queue 'mail': .* not apply fifoQueue"),
        ("raise pulumi.RunError('size is 3; allowed: 1')", "^size is 3; allowed: 1$"),
        ("pulumi.Config().require('absent')", "tiny:absent"),
        ("1 / 0", "^the program failed with ZeroDivisionError: division by zero$"),
        ("pulumi.export('nothing', None)", "the program's outputs nothing have no value"),
        (
            "aws.sqs.Queue('mail', fifo_queue=True); pulumi.export('a', aws.sqs.Queue('other').url)",
            "sqs/queue:Queue",
        ),
    ],
)
@pytest.mark.usefixtures("stack")
def test_program_that_fails_is_told_in_one_sentence(project: Path, body: str, said: str) -> None:
    write_program(project, body)

    with pytest.raises(LocalError, match=said):
        deploy(NOTHING, project)


def test_refused_settings_are_all_named(stack: DeployedStack) -> None:
    with pytest.raises(LocalError) as refusal:
        deploy(stack.administrator, config={"bill-e:batchSize": 0, "bill-e:apiAuth": "none"})

    assert "bill-e:batchSize" in str(refusal.value)
    assert "bill-e:apiAuth" in str(refusal.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"aws:region": "eu-west-1"}, "aws:region is 'eu-west-1'; the embedded AWS is 'eu-test-1'"),
        ({"tyni:key": "x"}, "tyni:key is not a setting; settings begin with tiny: or aws:"),
        ({"tiny:key": {"secure": "v1:abc"}}, "tiny:key is encrypted"),
    ],
    ids=["region", "namespace", "encrypted"],
)
def test_setting_that_cannot_be_used_here_is_refused_naming_it(
    project: Path, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(LocalError, match=said):
        deploy(NOTHING, project, config)


def test_settings_of_the_aws_provider_are_left_to_it(project: Path) -> None:
    assert deploy(NOTHING, project, {"aws:allowedAccountIds": ["111122223333"]}) == {"size": 3}


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot read"), ("a: [", "is not YAML"), ("just text", "is not a mapping")]
)
def test_unreadable_project_file_is_one_sentence(project: Path, content: str | None, said: str) -> None:
    file = project / "Pulumi.yaml"
    file.unlink() if content is None else file.write_text(content)

    with pytest.raises(LocalError, match=said) as refusal:
        deploy(NOTHING, project)

    assert str(file) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("number", STOPPING)
def test_interrupt_is_raised_when_nothing_of_the_program_runs_any_more(
    project: Path, number: signal.Signals
) -> None:
    write_program(
        project,
        """
        import asyncio, os, pathlib, signal

        def say(what):
            with pathlib.Path("said").open("a") as file:
                file.write(f"{what}\\n")

        async def go_on_until_cancelled(times):
            for _ in range(times):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    say("cancelled")
            return "done"

        pulumi.export("never", pulumi.Output.from_input(go_on_until_cancelled(3)))
        try:
            os.kill(os.getpid(), "number")
            for _ in range(1000):
                pass
        except KeyboardInterrupt:
            say("interrupted in its midst")
            raise
        """.replace('"said"', repr(str(project / "said"))).replace('"number"', str(int(number))),
    )

    before = set(threading.enumerate())

    with interrupted_by(number), pytest.raises(KeyboardInterrupt):
        deploy(NOTHING, project)

    assert (project / "said").read_text().splitlines() == ["cancelled"] * 3
    assert set(threading.enumerate()) <= before
    write_program(project, "pulumi.export('size', 3)")
    assert deploy(NOTHING, project) == {"size": 3}


def test_hooks_are_taken_without_a_server_that_outlives_the_program(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread of gRPC writes to memory that is freed, and now and then the process crashed much later."""
    monkeypatch.delattr("pulumi.runtime._callbacks.aio.server")
    write_program(
        project,
        """
        hook = pulumi.ResourceHook("hook", lambda _: None)
        hooked = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[hook]))
        component = pulumi.ComponentResource("tiny:test:Component", "hooked", None, hooked)
        pulumi.export("urn", component.urn)
        """,
    )

    assert "hooked" in deploy(NOTHING, project)["urn"]


@contextmanager
def interrupted_by(number: signal.Signals) -> Iterator[None]:
    """Let a signal interrupt this process, even if it is ignored, as SIGHUP is under `nohup`."""
    usual = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, usual)
