from __future__ import annotations

import warnings
from collections.abc import Iterator

import pulumi_aws as aws
import pytest

with warnings.catch_warnings():
    # The modules of this package warn about classes of their own when they are loaded, on first use.
    warnings.simplefilter("ignore", DeprecationWarning)
    LOADED = (
        *(aws.apigatewayv2.Api, aws.cloudwatch.LogGroup, aws.dynamodb.Table, aws.iam.Role),
        *(aws.lambda_.Function, aws.s3.Bucket, aws.sqs.Queue),
    )

from tests.components.mocks import Graph
from tests.components.programs import graph_of


@pytest.fixture(scope="session", autouse=True)
def _texts_made_of_outputs_are_errors() -> Iterator[None]:
    """Otherwise an f-string of an output is a sentence about the mistake, which ends in a property."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")
        yield


@pytest.fixture(params=["dev", "prod", "customer key", "local", "jwt", "two of each"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """Every graph that a rule over all resources has to hold for."""
    return graph_of(request.param)


@pytest.fixture
def dev() -> Graph:
    return graph_of("dev")


@pytest.fixture
def prod() -> Graph:
    return graph_of("prod")
