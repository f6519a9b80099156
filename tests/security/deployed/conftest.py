from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.aws import Aws
from local.deployment import deploy
from tests.local.stack import CONFIG, DeployedStack, deployed_stack
from tests.security.deployed.issuer import Issuer, running_issuer
from tests.security.deployed.roles import roles_of

ORIGIN = "https://receipts.example.com"
AUDIENCE = "bill-e"
FORMER_KEY = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"
WATCHED = "receipts/"
"""The upload prefix."""


@pytest.fixture(autouse=True)
def offline() -> None:
    """These tests may use the network: they talk to an embedded AWS of their own."""


@pytest.fixture(scope="session")
def stack() -> Iterator[DeployedStack]:
    """The program with signatures, and with the settings that give its roles the most permissions."""
    options = {
        "bill-e:allowedOrigins": [ORIGIN],
        "bill-e:encryption": "customer-key",
        "bill-e:formerKeyArns": [FORMER_KEY],
        "bill-e:uploadPrefix": WATCHED,
    }
    with deployed_stack(options) as stack:
        yield stack


@pytest.fixture(scope="session")
def sessions(stack: DeployedStack) -> Iterator[dict[str, Aws]]:
    """AWS as each function of the stack sees it."""
    emulator = stack.emulator
    opened = {name: emulator.seen_by(role.session()) for name, role in roles_of(stack).items()}
    yield opened
    for session in opened.values():
        session.close()


@pytest.fixture(scope="session")
def neighbour(stack: DeployedStack) -> DeployedStack:
    """Another stack in the same account, without CORS. The caller isn't one of its callers."""
    outputs = deploy(stack.administrator, config=CONFIG)
    return replace(stack, outputs=outputs)


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture(scope="session")
def token_stack(issuer: Issuer) -> Iterator[DeployedStack]:
    """The program with tokens of the issuer."""
    options = {
        "bill-e:apiAuth": "jwt",
        "bill-e:jwtIssuer": issuer.url,
        "bill-e:jwtAudience": [AUDIENCE],
        "bill-e:allowedOrigins": [ORIGIN],
    }
    with deployed_stack(options) as stack:
        yield stack
