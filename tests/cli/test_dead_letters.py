from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from cli import aws
from cli.operator.dead_letters import looked_at
from cli.operator.redrive import follow_move
from functions.contract.entry import ObjectVersion
from local.in_process.events import s3_event
from tests.cli.conftest import ChangeCall, Run, denied
from tests.cli.operated_stack import BUCKET, OperatedStack, entry_of


def event(*versions: ObjectVersion) -> str:
    return s3_event(*(entry_of(version).upload for version in versions))


def listed(operator: Run, *arguments: str) -> list[dict[str, Any]]:
    ran = operator("dead-letters", *arguments, "--json")
    assert (ran.code, bool(ran.out)) == (0, True), ran.err
    letters: list[dict[str, Any]] = json.loads(ran.out)["dead_letters"]
    return letters


def send(operated: OperatedStack, body: str) -> None:
    operated.sqs.send_message(QueueUrl=operated.dead_letter_queue_url, MessageBody=body)


RECORDED = ObjectVersion(bucket=BUCKET, key="recorded.png", version_id="r")
LOST = ObjectVersion(bucket=BUCKET, key="lost.png", version_id="l")


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        ("not JSON", "unreadable", "body is 'not JSON', but must be JSON"),
        ("{}", "unreadable", "Records is missing, but must be a list of at least one record"),
        ('{"Event": "s3:TestEvent"}', "test event", "about an upload"),
        (event(RECORDED), "recorded", "nothing is lost"),
        (event(LOST), "not recorded", "it has no entry"),
        (event(RECORDED, LOST), "not recorded", "it has no entry"),
    ],
)
def test_letter_is_listed_with_the_reason_that_can_be_known(
    operator: Run, operated: OperatedStack, body: str, state: str, reason: str
) -> None:
    operated.record(RECORDED)
    send(operated, body)

    (letter,) = listed(operator)

    assert letter["state"] == state
    assert reason in letter["reason"]
    assert "body" not in letter


def test_letter_names_the_versions_it_tells_of_and_their_outcomes(
    operator: Run, operated: OperatedStack
) -> None:
    operated.record(RECORDED)
    send(operated, event(RECORDED, LOST))

    (letter,) = listed(operator)

    assert [(one["key"], one["version_id"], one["outcome"]) for one in letter["uploads"]] == [
        ("recorded.png", "r", "ACCEPTED"),
        ("lost.png", "l", None),
    ]


def test_looking_leaves_every_letter_where_it_is(operator: Run, operated: OperatedStack) -> None:
    for number in range(23):
        send(operated, f"poison {number}")

    first, second = listed(operator), listed(operator)

    assert len(first) == 23
    assert [letter["id"] for letter in first] == [letter["id"] for letter in second]
    assert {letter["receive_count"] for letter in second} == {2}


def test_limit_bounds_the_list_and_says_that_there_is_more(operator: Run, operated: OperatedStack) -> None:
    for number in range(12):
        send(operated, f"poison {number}")

    ran = operator("dead-letters", "list", "--limit", "3")

    assert len(ran.out.splitlines()) == 1 + 3
    assert "3 listed of about 12" in ran.err
    assert len(listed(operator)) == 12


def test_empty_queue_is_said_and_is_no_failure(operator: Run) -> None:
    ran = operator("dead-letters")

    assert (ran.code, ran.out) == (0, "no dead letters\n")
    assert listed(operator) == []


def test_show_writes_one_letter_with_its_body(operator: Run, operated: OperatedStack) -> None:
    for body in ("other", "poison \x1b[31m", event(LOST)):
        send(operated, body.replace("\x1b", "\\x1b"))
    letters = listed(operator)

    for letter in letters:
        ran = operator("dead-letters", "show", letter["id"])
        assert ran.code == 0
        assert letter["id"] in ran.out
    shown = [json.loads(operator("dead-letters", "show", one["id"], "--json").out) for one in letters]
    assert {one["body"] for one in shown} == {"other", "poison \\x1b[31m", event(LOST)}
    assert len(listed(operator)) == 3


HUGE = 1_000_000
MANY = tuple(ObjectVersion(bucket=BUCKET, key=f"{number}.png", version_id="v") for number in range(10))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("x" * HUGE, id="not JSON"),
        pytest.param(json.dumps({"Records": [{}] * (HUGE // 4)}), id="records"),
        pytest.param(json.dumps({"Records": [{"eventVersion": "9" * HUGE}]}), id="a wrong field"),
        pytest.param(json.dumps({"Records": [{"k" * HUGE: 1}]}), id="a name"),
        pytest.param(event(ObjectVersion(bucket=BUCKET, key="k" * HUGE, version_id="v")), id="a key"),
        pytest.param(
            event(ObjectVersion(bucket=BUCKET, key="k", version_id="v"), *MANY[:9]).replace(
                "AIDA", "A" * HUGE, 1
            ),
            id="a principal",
        ),
    ],
)
def test_only_show_with_json_writes_all_of_a_huge_body(
    operator: Run, operated: OperatedStack, body: str
) -> None:
    send(operated, body)
    (letter,) = listed(operator)

    assert len(json.dumps(letter)) < 3000
    assert len(operator("dead-letters").out) < 1000
    shown = operator("dead-letters", "show", letter["id"])
    assert len(shown.out) < 8000
    assert f"4,000 of {len(body):,} characters" in shown.err
    whole = operator("dead-letters", "show", letter["id"], "--json")
    assert (json.loads(whole.out)["body"], whole.err) == (body, "")


def test_list_names_three_uploads_of_a_letter_and_says_how_many_more(
    operator: Run, operated: OperatedStack
) -> None:
    send(operated, event(*MANY))

    assert "0.png (v), 1.png (v), 2.png (v), and 7 more" in operator("dead-letters").out
    (letter,) = listed(operator)
    assert ([one["key"] for one in letter["uploads"]], letter["more_uploads"]) == (
        ["0.png", "1.png", "2.png"],
        7,
    )
    whole = operator("dead-letters", "show", letter["id"], "--json")
    assert len(json.loads(whole.out)["uploads"]) == 10


def test_unknown_id_is_one_sentence(operator: Run, operated: OperatedStack) -> None:
    send(operated, "x")

    ran = operator("dead-letters", "show", "nothing")

    assert (ran.code, ran.out) == (1, "")
    assert "no dead letter has the id nothing" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        *(("show",), ("show", "a", "b"), ("list", "some-id"), ("list", "--dry-run"), ("dance",)),
        *(
            ("list", "--limit", "0"),
            ("delete", "a"),
            ("delete", "--reason", "r"),
            ("redrive", "--reason", "r"),
        ),
        *(("delete", "a", "--reason", " "), ("redrive", "a", "--without-entry")),
    ],
)
def test_wrong_use_is_told(operator: Run, arguments: tuple[str, ...]) -> None:
    assert operator("dead-letters", *arguments).code == 2


def test_letters_are_shown_again_when_reading_is_broken_off(operated: OperatedStack) -> None:
    send(operated, "x")

    def read_and_break_off() -> None:
        with looked_at(operated.sqs, operated.dead_letter_queue_url) as letters:
            next(letters)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_and_break_off()

    again = operated.sqs.receive_message(QueueUrl=operated.dead_letter_queue_url)
    assert [message["Body"] for message in again["Messages"]] == ["x"]


OPERATOR = "arn:aws:sts::123456789012:user/moto"


def sent_letters(operated: OperatedStack, operator: Run, *bodies: str) -> dict[str, str]:
    """Send dead letters, and return the id of each body."""
    for body in bodies:
        send(operated, body)
    shown = [
        json.loads(operator("dead-letters", "show", one["id"], "--json").out) for one in listed(operator)
    ]
    return {one["body"]: one["id"] for one in shown}


def test_only_the_letters_that_are_named_are_deleted_and_the_log_says_so(
    operator: Run, operated: OperatedStack
) -> None:
    operated.record(RECORDED)
    ids = sent_letters(operated, operator, "poison", event(RECORDED), "other")

    chosen = ids["poison"], ids[event(RECORDED)]
    ran = operator("dead-letters", "delete", *chosen, "--reason", "sent by mistake")

    assert (ran.code, ran.out.splitlines()[-1]) == (0, "2 deleted")
    assert "recorded.png (r)" in ran.out
    assert [one["id"] for one in listed(operator)] == [ids["other"]]
    lines = operated.logged()
    assert {line["operator"] for line in lines} == {OPERATOR}
    assert [(line["message"], line["message_id"]) for line in lines] == [
        (what, one) for one in chosen for what in ("dead letter will be deleted", "dead letter deleted")
    ]
    assert {line["reason"] for line in lines[::2]} == {"sent by mistake"}
    assert [(line["body"], line["versions"]) for line in lines[::2]] == [
        ("poison", []),
        (event(RECORDED), [{"bucket": BUCKET, "key": "recorded.png", "version_id": "r"}]),
    ]


def test_letter_about_an_upload_without_an_entry_is_only_deleted_on_demand(
    operator: Run, operated: OperatedStack
) -> None:
    ids = sent_letters(operated, operator, event(LOST), "poison")
    delete = "dead-letters", "delete", *ids.values(), "--reason", "r"

    refused = operator(*delete).refusal()
    assert ids[event(LOST)] in refused
    assert ids["poison"] not in refused
    assert "reports it as missing" in refused
    assert (len(listed(operator)), operated.logged()) == (2, [])

    assert operator(*delete, "--without-entry").code == 0
    assert listed(operator) == []


@pytest.mark.parametrize("action", [("delete", "--reason", "r"), ("redrive",)])
def test_nothing_is_changed_if_a_letter_is_not_there(
    operator: Run, operated: OperatedStack, action: tuple[str, ...]
) -> None:
    (name,) = sent_letters(operated, operator, "poison").values()

    said = operator("dead-letters", action[0], name, "nothing", *action[1:]).refusal()

    assert "no dead letter has the id nothing, so nothing was changed" in said
    assert ([one["id"] for one in listed(operator)], operated.logged()) == ([name], [])


@pytest.mark.parametrize("action", [("delete", "--reason", "r"), ("redrive",)])
def test_dry_run_only_shows_the_letters(
    operator: Run, operated: OperatedStack, action: tuple[str, ...]
) -> None:
    (name,) = sent_letters(operated, operator, "poison").values()

    ran = operator("dead-letters", action[0], name, "--dry-run", *action[1:])

    assert ran.code == 0
    assert name in ran.out
    assert "nothing was changed" in ran.out
    assert ([one["id"] for one in listed(operator)], operated.logged()) == ([name], [])


@pytest.mark.claim(
    "`bill-e dead-letters` neither deletes nor redrives a message by its id unless the log of operations has "
    "taken a line about it",
    section="Least privilege",
)
@pytest.mark.parametrize("action", [("delete", "--reason", "r"), ("redrive",)])
@pytest.mark.parametrize("call", ["create_log_stream", "put_log_events"])
def test_nothing_is_changed_without_a_line_in_the_log(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, action: tuple[str, ...], call: str
) -> None:
    (name,) = sent_letters(operated, operator, "poison").values()
    change_call("logs", call, denied)

    said = operator("dead-letters", action[0], name, *action[1:]).error()

    assert f"(logs:{''.join(map(str.title, call.split('_')))})" in said
    assert "the stack's output operator_policy" in said
    assert [one["id"] for one in listed(operator)] == [name]
    assert operated.sent() == []


@pytest.mark.parametrize("action", [("redrive", "x"), ("delete", "x", "--reason", "r")])
def test_stack_without_a_log_of_operations_is_said(
    operator: Run, operated: OperatedStack, action: tuple[str, ...]
) -> None:
    operated.rewrite_outputs(log_groups=None)
    (name,) = sent_letters(operated, operator, "poison").values()

    said = operator("dead-letters", *(name if one == "x" else one for one in action)).error()

    assert "no log of operations" in said
    assert [one["id"] for one in listed(operator)] == [name]


def test_line_that_the_log_refuses_stops_the_deletion(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    (name,) = sent_letters(operated, operator, "poison").values()
    change_call(
        "logs", "put_log_events", lambda *_, **__: {"rejectedLogEventsInfo": {"tooNewLogEventStartIndex": 0}}
    )

    said = operator("dead-letters", "delete", name, "--reason", "r").error()

    assert "refused a line" in said
    assert [one["id"] for one in listed(operator)] == [name]


def test_only_the_letters_that_are_named_are_redriven(operator: Run, operated: OperatedStack) -> None:
    ids = sent_letters(operated, operator, event(LOST), "poison")

    ran = operator("dead-letters", "redrive", ids[event(LOST)], "--json")

    assert (ran.code, json.loads(ran.out)["status"]) == (0, "REDRIVEN")
    assert [one["id"] for one in listed(operator)] == [ids["poison"]]
    (message,) = operated.sqs.receive_message(QueueUrl=operated.resend_queue_url)["Messages"]
    assert message["Body"] == event(LOST)
    before, after = operated.logged()
    assert (before["message"], before["versions"][0]["key"]) == ("dead letter will be redriven", "lost.png")
    assert (after["message"], after["message_id"], after["new_message_id"]) == (
        "dead letter redriven",
        ids[event(LOST)],
        message["MessageId"],
    )


@pytest.mark.parametrize(
    ("call", "copies"), [("send_message", 0), ("delete_message", 1)], ids=["before sending", "after sending"]
)
def test_interrupted_redrive_loses_no_letter(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, call: str, copies: int
) -> None:
    ids = sent_letters(operated, operator, event(LOST), "poison")

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    change_call("sqs", call, interrupt)
    ran = operator("dead-letters", "redrive", ids[event(LOST)], ids["poison"])

    assert ran.code == 130
    assert "0 of 2 done" in ran.err
    assert len(listed(operator)) == 2
    sent = operated.sqs.receive_message(QueueUrl=operated.resend_queue_url, MaxNumberOfMessages=10)
    assert len(sent.get("Messages", ())) == copies
    assert [line["message"] for line in operated.logged()] == ["dead letter will be redriven"]


@pytest.mark.parametrize("code", ["MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"])
def test_letter_that_another_reader_may_have_is_left_alone(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, code: str
) -> None:
    (name,) = sent_letters(operated, operator, "poison").values()

    def refuse(*_: Any, **__: Any) -> None:
        error: Any = {"Error": {"Code": f"AWS.SimpleQueueService.{code}", "Message": "no"}}
        raise ClientError(error, "ChangeMessageVisibility")

    change_call("sqs", "change_message_visibility", refuse)
    said = operator("dead-letters", "delete", name, "--reason", "r").error()

    assert "another reader may have the dead letter" in said
    assert ([one["id"] for one in listed(operator)], operated.logged()) == ([name], [])


class MovingSqs:
    """SQS with a move task that goes on by two messages whenever it is asked for."""

    def __init__(self, waiting: int, end: str = "COMPLETED", failure: str | None = None) -> None:
        self.waiting, self.started = waiting, 0
        self.tasks: list[dict[str, Any]] = []
        self._end, self._failure = end, failure
        self.on_list: Callable[[], None] = lambda: None

    def list_message_move_tasks(self, *, SourceArn: str, MaxResults: int) -> dict[str, Any]:  # noqa: N803
        assert (SourceArn, MaxResults) == ("arn:aws:sqs:eu-central-1:123456789012:dead-letters", 1)
        self.on_list()
        answer = [dict(task) for task in self.tasks[:1]]
        for task in self.tasks[:1]:
            task["ApproximateNumberOfMessagesMoved"] += 2
            if task["ApproximateNumberOfMessagesMoved"] >= task["ApproximateNumberOfMessagesToMove"]:
                task["Status"] = self._end
                if self._failure:
                    task["FailureReason"] = self._failure
        return {"Results": answer}

    def start_message_move_task(self, *, SourceArn: str, DestinationArn: str) -> dict[str, str]:  # noqa: N803
        assert SourceArn.endswith(":dead-letters")
        assert DestinationArn.endswith(":resends")
        if self.tasks and self.tasks[0]["Status"] == "RUNNING":
            error = {"Error": {"Code": "AWS.SimpleQueueService.UnsupportedOperation", "Message": "running"}}
            raise ClientError(cast("Any", error), "StartMessageMoveTask")
        self.started += 1
        self.tasks.insert(0, self.task("RUNNING"))
        return {"TaskHandle": "t"}

    def task(self, status: str) -> dict[str, Any]:
        return {
            "Status": status,
            "StartedTimestamp": 1_795_000_000_000,
            "ApproximateNumberOfMessagesMoved": 0,
            "ApproximateNumberOfMessagesToMove": self.waiting,
        }

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        assert "QueueArn" in AttributeNames
        name = QueueUrl.rpartition("/")[2]
        attributes = {
            "QueueArn": f"arn:aws:sqs:eu-central-1:123456789012:{name}",
            "ApproximateNumberOfMessages": str(self.waiting),
            "ApproximateNumberOfMessagesNotVisible": "0",
        }
        return {"Attributes": attributes}

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def moving(operated: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> MovingSqs:
    """Five dead letters; moto has no move tasks."""
    assert operated
    sqs, make = MovingSqs(waiting=5), aws.client
    monkeypatch.setattr(
        "cli.aws.client",
        lambda session, service, access: sqs if service == "sqs" else make(session, service, access),
    )
    monkeypatch.setattr("cli.operator.redrive.POLL_SECONDS", 0.0)
    return sqs


@pytest.mark.usefixtures("_every_step_is_a_line")
def test_redrive_follows_the_move_to_its_end(
    operator: Run, operated: OperatedStack, moving: MovingSqs
) -> None:
    ran = operator("dead-letters", "redrive", "--json")

    assert ran.code == 0
    report = json.loads(ran.out)
    assert (report["status"], report["waiting_before"]) == ("COMPLETED", 5)
    assert report["moved"] >= 5
    assert "moved: " in ran.err
    assert moving.started == 1
    assert [(line["message"], line.get("status")) for line in operated.logged()] == [
        ("all dead letters will be redriven", None),
        ("redrive ended", "COMPLETED"),
    ]


def test_redrive_starts_only_once_it_is_in_the_log(
    operator: Run, moving: MovingSqs, change_call: ChangeCall
) -> None:
    change_call("logs", "put_log_events", denied)

    assert "logs:PutLogEvents" in operator("dead-letters", "redrive").refusal()
    assert moving.started == 0


def test_dry_run_of_a_redrive_moves_nothing(operator: Run, moving: MovingSqs) -> None:
    ran = operator("dead-letters", "redrive", "--dry-run")

    assert (ran.code, ran.out) == (0, "dry run: about 5 would be moved to resends; nothing was moved\n")
    assert moving.started == 0


def test_redrive_of_nothing_is_said_and_is_no_failure(operator: Run, moving: MovingSqs) -> None:
    moving.waiting = 0

    ran = operator("dead-letters", "redrive")

    assert (ran.code, ran.out) == (0, "no dead letters: nothing to redrive\n")
    assert moving.started == 0


@pytest.mark.parametrize("status", ["RUNNING", "CANCELLING"])
def test_redrive_that_runs_already_is_refused_with_how_far_it_is(
    operator: Run, moving: MovingSqs, status: str
) -> None:
    moving.tasks = [moving.task(status)]

    ran = operator("dead-letters", "redrive")

    assert (ran.code, ran.out, moving.started) == (1, "", 0)
    assert "a redrive has been running since " in ran.err
    assert "0 of about 5 moved. Nothing was changed" in ran.err
    assert ran.err.count("\n") == 1


def test_redrive_that_somebody_else_starts_first_is_refused(operator: Run, moving: MovingSqs) -> None:
    def somebody_else() -> None:
        moving.on_list = lambda: None
        start = moving.start_message_move_task

        def late(**arguments: str) -> dict[str, str]:
            moving.tasks = [moving.task("RUNNING")]
            return start(**arguments)

        moving.start_message_move_task = late  # type: ignore[method-assign]

    moving.on_list = somebody_else

    ran = operator("dead-letters", "redrive")

    assert (ran.code, moving.started) == (1, 0)
    assert "a redrive has been running since" in ran.err


def test_redrive_that_ended_before_is_no_hindrance(operator: Run, moving: MovingSqs) -> None:
    moving.tasks = [moving.task("COMPLETED")]

    assert operator("dead-letters", "redrive").code == 0
    assert moving.started == 1


def test_redrive_that_fails_is_exit_code_1_with_the_reason(operator: Run, moving: MovingSqs) -> None:
    moving._end, moving._failure = "FAILED", "AccessDenied"

    assert "SQS says: AccessDenied" in operator("dead-letters", "redrive").error()


def test_interrupted_redrive_says_that_sqs_continues(
    operator: Run, moving: MovingSqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "cli.commands.dead_letters.follow_move", lambda sqs, queue: follow_move(sqs, queue, interrupt)
    )

    ran = operator("dead-letters", "redrive")

    assert ran.code == 130
    assert "SQS continues the redrive" in ran.err
    assert moving.tasks[0]["Status"] == "RUNNING"
