from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import pytest

from tests.functions.sealer.sealed_ledger import SealedLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3


@pytest.fixture
def new_ledger(aws: boto3.Session) -> Iterator[Callable[..., SealedLedger]]:
    with contextlib.closing(aws.client("dynamodb")) as dynamodb, contextlib.closing(aws.client("s3")) as s3:
        yield functools.partial(SealedLedger, dynamodb, s3)


@pytest.fixture
def ledger(new_ledger: Callable[..., SealedLedger]) -> SealedLedger:
    return new_ledger()
