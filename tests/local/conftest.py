from __future__ import annotations

import warnings
from collections.abc import Iterator

import pulumi_aws as aws
import pytest

from tests.local.stack import DeployedStack, deployed_stack

with warnings.catch_warnings():
    # The modules of this package warn about classes of their own when they are loaded, on first use.
    warnings.simplefilter("ignore", DeprecationWarning)
    LOADED = (aws.lambda_.Function, aws.s3.Bucket)


@pytest.fixture(scope="session")
def stack() -> Iterator[DeployedStack]:
    """The whole program, deployed once for all tests: each uses names and bytes of its own."""
    with deployed_stack() as stack:
        yield stack
