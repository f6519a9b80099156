"""Every upload ends in exactly one entry or in a message that is kept, whatever happens in whatever order.

Hypothesis makes up histories of the pipeline (`tests.functions.pipeline_model`): uploads, deletions, what S3
and SQS deliver, how often and in which order, what fails, and what happens in the middle of a call. The
histories are the same every time; ``MODEL_EXAMPLES=5000`` tries that many new ones.
"""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from functions.contract.entry import Outcome
from functions.contract.processing import CALL_SECONDS
from tests.functions.pipeline_model import (
    CONTENTS,
    FUNCTION_TIMEOUT,
    LUNCH,
    TEST_EVENT,
    VISIBILITY_TIMEOUT,
    Content,
    Fault,
    Line,
    Message,
    Pipeline,
    losses,
    processor_on_line,
    wrongs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

EXAMPLES: Final = os.environ.get("MODEL_EXAMPLES")
SETTINGS: Final = settings(
    max_examples=int(EXAMPLES or 150),
    stateful_step_count=20,
    derandomize=EXAMPLES is None,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

FILES = st.tuples(st.sampled_from(["a.png", "b +é.pdf", "c"]), st.sampled_from(CONTENTS))
MAX_SHARDS: Final = 4

WHICH = st.integers(0, 5)
"""One of those that there are, counted from the last, and round and round."""

SOME = st.lists(WHICH, min_size=1, max_size=4)
CALL = st.integers(0, 5)
FAULTS = st.dictionaries(CALL, st.sampled_from(Fault), max_size=2)
MEANWHILE = st.lists(
    st.tuples(CALL, st.sampled_from(["delete", "deliver", "deliver again", "wait"]), WHICH), max_size=4
)


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with processor_on_line() as line:
        yield line


class History(RuleBasedStateMachine):
    """What can happen to a pipeline, and what must hold all the time and at the end."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self.pipeline = Pipeline(line)
        self.seen = self.pipeline.items()

    @rule(files=st.lists(FILES, min_size=1, max_size=3))
    def upload(self, files: list[tuple[str, Content]]) -> None:
        self.pipeline.upload(*files)

    @precondition(lambda self: self.pipeline.uploads)
    @rule(which=SOME)
    def send_again(self, which: list[int]) -> None:
        uploads = [made for made, _ in self.pipeline.uploads.values()]
        self.pipeline.send(*pick(uploads, which))

    @precondition(lambda self: self.pipeline.uploads)
    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        for version in pick(list(self.pipeline.uploads), [which]):
            self.pipeline.delete(version)

    @precondition(lambda self: self.pipeline.messages)
    @rule(which=WHICH)
    def deliver_again_what_is_deleted(self, which: int) -> None:
        """A message comes twice, and what it tells of is deleted in between."""
        again = pick(self.pipeline.messages, [which])
        self.pipeline.deliver(again)
        self._delete_all(again)
        self.pipeline.deliver(again)

    @rule(body=st.sampled_from([TEST_EVENT, "this is no event", '{"Records": []}']))
    def send_something_else(self, body: str) -> None:
        self.pipeline.send_body(body)

    @rule(time=st.sampled_from([timedelta(seconds=1), FUNCTION_TIMEOUT, VISIBILITY_TIMEOUT]))
    def wait(self, time: timedelta) -> None:
        self.pipeline.wait(time)

    @rule(which=SOME, faults=FAULTS, meanwhile=MEANWHILE)
    def deliver(
        self, which: list[int], faults: dict[int, Fault], meanwhile: list[tuple[int, str, int]]
    ) -> None:
        self.pipeline.deliver(
            pick(self.pipeline.visible(), which), faults=faults, meanwhile=self._plan(meanwhile)
        )

    @rule(which=SOME, faults=FAULTS)
    def deliver_again(self, which: list[int], faults: dict[int, Fault]) -> None:
        """SQS delivers at least once: what is in another's hands, or was acknowledged, can come again."""
        self.pipeline.deliver(pick(self.pipeline.messages, which), faults=faults)

    @rule()
    def redrive(self) -> None:
        self.pipeline.redrive()

    @precondition(lambda self: self.pipeline.line.shards < MAX_SHARDS)
    @rule()
    def raise_shards(self) -> None:
        self.pipeline.raise_shards()

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert wrongs(self.pipeline, self.seen) == []
        self.seen = self.pipeline.items()

    def teardown(self) -> None:
        self.pipeline.drain()
        self.nothing_is_wrong()
        assert losses(self.pipeline) == []
        self.pipeline.redrive()
        self.pipeline.drain()
        self.nothing_is_wrong()
        assert self.pipeline.recorded() == set(self.pipeline.uploads)
        assert [message for message in self.pipeline.dead() if message.uploads] == []

    def _plan(self, meanwhile: list[tuple[int, str, int]]) -> Mapping[int, Sequence[Callable[[], None]]]:
        plan: dict[int, list[Callable[[], None]]] = {}
        for call, what, which in meanwhile:
            plan.setdefault(call, []).append(partial(self._happen, what, which))
        return plan

    def _happen(self, what: str, which: int) -> None:
        match what:
            case "delete":
                self._delete_all(pick(self.pipeline.messages, [which]))
            case "deliver":
                self.pipeline.deliver(pick(self.pipeline.visible(), [which]))
            case "deliver again":
                self.pipeline.deliver(pick(self.pipeline.messages, [which]))
            case "wait":
                self.pipeline.wait(timedelta(seconds=10 * which))

    def _delete_all(self, messages: list[Message]) -> None:
        for message in messages:
            for each in message.uploads:
                self.pipeline.delete(each.version)


def pick(those: Sequence[Any], which: list[int]) -> list[Any]:
    """Take some by number, each once, in the order of the numbers."""
    return list(dict.fromkeys(those[-1 - number % len(those)] for number in which if those))


@pytest.mark.parametrize("until_the_second_look", range(0, 300, 3))
def test_an_upload_that_is_deleted_while_it_is_read_gets_one_entry(
    until_the_second_look: int, line: Line
) -> None:
    pipeline = Pipeline(line)
    (made,) = pipeline.upload(("a.png", LUNCH))
    slow, *quick = pipeline.visible() + [pipeline.send(made) for _ in range(2)]

    def deleted_and_missed() -> None:
        pipeline.delete(made.version)
        pipeline.deliver(quick[:1])
        # The slow one writes as late as it may.
        pipeline.wait(FUNCTION_TIMEOUT - timedelta(seconds=CALL_SECONDS + 1))

    pipeline.deliver([slow], meanwhile={0: [deleted_and_missed]})
    pipeline.wait(timedelta(seconds=until_the_second_look))
    pipeline.deliver(quick[1:])
    pipeline.drain()

    assert wrongs(pipeline, {}) == losses(pipeline) == []
    assert [entry.outcome for entry in pipeline.entries()] == [Outcome.ACCEPTED]


def test_every_history_ends_with_one_entry_per_upload(line: Line) -> None:
    run_state_machine_as_test(partial(History, line), settings=SETTINGS)  # type: ignore[arg-type]
