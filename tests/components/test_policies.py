from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components import policies
from tests.components.mocks import run

BUCKET, TABLE = "arn:aws:s3:::uploads", "arn:aws:dynamodb:eu-central-1:123456789012:table/ledger"


def test_caller_may_call_the_three_routes_and_upload() -> None:
    api = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3"
    policy = policies.caller_policy(BUCKET, api, "receipts/")
    assert [(s["Action"], s["Resource"]) for s in policy["Statement"]] == [
        (
            "execute-api:Invoke",
            [f"{api}/*/GET/receipts", f"{api}/*/GET/receipts/*", f"{api}/*/POST/uploads"],
        ),
        ("s3:PutObject", f"{BUCKET}/receipts/*"),
    ]


def test_value_that_turns_out_to_be_missing_is_an_error_that_names_it() -> None:
    def program() -> None:
        missing: pulumi.Output[Any] = pulumi.Output.from_input(None)
        statements = policies.resolve(policies.reader_statements, table_arn=TABLE, index_arn=missing)
        pulumi.export("policy", policies.to_json(statements))

    with pytest.raises(ValueError, match="reader_statements: no value for index_arn"):
        run(program)
