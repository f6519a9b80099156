from __future__ import annotations

import warnings
from collections.abc import Iterator

import pulumi_aws as aws
import pytest

from local.environment import running_environment
from tests.local.stack import DeployedStack

with warnings.catch_warnings():
    # The modules of this package warn about classes of their own when they are loaded, on first use.
    warnings.simplefilter("ignore", DeprecationWarning)
    LOADED = (aws.lambda_.Function, aws.s3.Bucket)

MAX_RECEIPT_BYTES = 1024 * 1024

CONFIG = {
    # A receipt that is too large is then quick to make, and few function processes share the machine.
    "bill-e:maxReceiptMegabytes": 1,
    "bill-e:maxConcurrency": 2,
}


@pytest.fixture(scope="session")
def stack() -> Iterator[DeployedStack]:
    """The whole program, deployed once for all tests: each uses names and bytes of its own."""
    with running_environment(config=CONFIG) as environment:
        yield DeployedStack(environment=environment)
