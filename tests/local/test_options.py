from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.stack import DeployedStack, declared, deployed_stack, png


@pytest.fixture(scope="module")
def guarded() -> Iterator[DeployedStack]:
    """The program with the options that the stack `local` leaves off."""
    options = {
        "bill-e:allowedOrigins": ["https://receipts.example.com"],
        "bill-e:encryption": "customer-key",
        "bill-e:objectLockDays": 1,
        "bill-e:uploadPrefix": "receipts/",
    }
    with deployed_stack(options) as stack:
        yield stack


def test_receipt_under_the_prefix_is_accepted(guarded: DeployedStack) -> None:
    assert guarded.entry_of(guarded.upload("receipts/receipt.png", png()))["outcome"] == "ACCEPTED"


def test_upload_is_encrypted_with_the_key_of_the_stack_and_locked(guarded: DeployedStack) -> None:
    uploaded = guarded.upload("receipts/locked.png", png())

    stored = guarded.administrator.client("s3").head_object(Bucket=guarded.bucket, Key=uploaded.key)

    assert stored["ServerSideEncryption"] == "aws:kms"
    assert stored["ObjectLockMode"] == "GOVERNANCE"


def test_form_is_for_a_key_under_the_prefix(guarded: DeployedStack) -> None:
    content = png()

    form = guarded.call("POST", "/uploads", body=declared(content)).json

    assert form["key"].startswith("receipts/")
    assert guarded.post_form(form, content).status == 204


def test_pages_of_an_allowed_origin_may_call_the_api_and_others_may_not(guarded: DeployedStack) -> None:
    def preflight(origin: str) -> str:
        answer = guarded.send(
            "OPTIONS",
            f"{guarded.outputs['api_url']}/receipts",
            {"Origin": origin, "Access-Control-Request-Method": "GET"},
            None,
        )
        return answer.headers.get("access-control-allow-origin", "")

    assert preflight("https://receipts.example.com") == "https://receipts.example.com"
    assert preflight("https://elsewhere.example.com") == ""
