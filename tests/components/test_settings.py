from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pytest

from components.ingest_pipeline import IngestPipelineArgs
from components.ledger import LedgerArgs
from components.ledger_api import LedgerApiArgs
from components.reconciler import ReconcilerArgs
from components.settings import StackSettings
from components.stack_args import StackArgs
from components.validation import Checked, InvalidInputError, between, setting

JWT = {"apiAuth": "jwt", "jwtIssuer": "https://login.example.com/", "jwtAudience": '["bill-e"]'}


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)


def load(
    monkeypatch: pytest.MonkeyPatch, settings: type[StackSettings] = StackSettings, /, **values: str
) -> StackSettings:
    """Load settings that are handed over as the Pulumi CLI does it: as texts, in an environment variable."""
    config = {f"bill-e:{key}": value for key, value in values.items()}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config | {"aws:region": "eu-central-1"}))
    return settings.load()


def refusals(
    monkeypatch: pytest.MonkeyPatch, settings: type[StackSettings] = StackSettings, /, **values: str
) -> dict[str, str]:
    """What is said to be allowed, by the key that is refused."""
    with pytest.raises(InvalidInputError) as refused:
        load(monkeypatch, settings, **values)
    return {each.name: each.allowed for each in refused.value.values}


def test_values_are_read_as_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        batchSize="25",
        protectData="false",
        acceptedTypes='["image/png"]',
        uploadPrefix="receipts/",
    )
    assert settings.batch_size == 25
    assert settings.protect_data is False
    assert settings.accepted_types == ("image/png",)
    assert settings.upload_prefix == "receipts/"


def test_all_errors_are_reported_at_once_with_key_value_and_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError) as refused:
        load(
            monkeypatch,
            batchSize="many",
            maxConcurrency="1",
            allowedOrigins='["https://a.example", "*", "null"]',
            logRetentionDays="31",
            batchsize="5",
            apiAuth="none",
        )
    message = str(refused.value)
    assert "bill-e:batchSize is 'many'; allowed: a whole number" in message
    assert "bill-e:maxConcurrency is 1; allowed: a whole number from 2 to 1,000" in message
    assert "bill-e:allowedOrigins is '*'; allowed: an origin" in message
    assert "bill-e:allowedOrigins is 'null'; allowed: an origin" in message
    assert "bill-e:logRetentionDays is 31; allowed: 1, 3, 5" in message
    assert "bill-e:batchsize is '5'; allowed: the settings are acceptedTypes" in message
    assert "bill-e:apiAuth is 'none'; allowed: iam, jwt" in message
    assert len(refused.value.values) == 7


def test_a_list_is_explained_in_the_form_that_the_pulumi_cli_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = refusals(monkeypatch, allowedOrigins="https://receipts.example.com")["bill-e:allowedOrigins"]
    assert allowed.endswith("pulumi config set --type string --path 'allowedOrigins[0]' VALUE")


def test_what_is_left_of_jwt_is_refused_with_the_commands_that_remove_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        load(monkeypatch, **{**JWT, "apiAuth": "iam"})
    message = str(refused.value)
    assert (
        "bill-e:jwtIssuer is 'https://login.example.com/'; allowed: only with apiAuth jwt; "
        "remove it with `pulumi config rm jwtIssuer`"
    ) in message
    assert "bill-e:jwtAudience is ['bill-e']; allowed: only with apiAuth jwt" in message
    assert "`pulumi config rm jwtAudience`" in message


def test_pulumi_shows_a_refusal_without_a_stack_trace() -> None:
    assert issubclass(InvalidInputError, pulumi.RunError)


@pytest.mark.parametrize(
    ("key", "threshold"),
    [
        ("alarmFunctionThrottles", "at 1 throttled call in five minutes"),
        ("alarmTimeoutPercent", "when a function uses 80 % of its time-out"),
    ],
)
def test_a_setting_of_the_last_release_is_refused_with_what_holds_now_and_how_to_remove_it(
    key: str, threshold: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusals(monkeypatch, **{key: "5"}, batchSize="0") == {
        f"bill-e:{key}": f"nothing, since it is no longer a setting: the alarm goes off {threshold}; "
        f"remove it with `pulumi config rm {key}`",
        "bill-e:batchSize": "a whole number from 1 to 10,000",
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("apiAuth", "IAM"),
        ("maxReceiptMegabytes", "0"),
        ("maxReceiptMegabytes", "2.5"),
        ("maxReceiptMegabytes", "٣"),
        ("acceptedTypes", "[]"),
        ("acceptedTypes", '["text/html"]'),
        ("acceptedTypes", '["image/png", "image/png"]'),
        ("acceptedTypes", "image/png"),
        ("acceptedTypes", "[1]"),
        ("uploadPrefix", "receipts"),
        ("uploadPrefix", f"{'r' * 256}/"),
        ("uploadPrefix", "/receipts/"),
        ("uploadPrefix", "receipts/\n"),
        ("maxConcurrency", "1"),
        ("maxConcurrency", "1001"),
        ("batchSize", "0"),
        ("batchSize", "10001"),
        ("batchWindowSeconds", "301"),
        ("batchWindowSeconds", "-1"),
        ("functionTimeoutSeconds", "59"),
        ("functionTimeoutSeconds", "901"),
        ("ledgerShards", "0"),
        ("ledgerShards", "65"),
        ("ledgerMaxReadUnits", "0"),
        ("ledgerMaxReadUnits", "40001"),
        ("ledgerMaxWriteUnits", "0"),
        ("ledgerMaxWriteUnits", "unlimited"),
        ("encryption", "none"),
        ("formerKeyArns", '["alias/bill-e"]'),
        ("formerKeyArns", '["arn:aws:kms:eu-central-1:123456789012:alias/bill-e"]'),
        ("formerKeyArns", '["arn:aws:kms:eu-central-1:123456789012:key/*"]'),
        ("formerKeyArns", '["arn:aws:kms::123456789012:key/1"]'),
        ("formerKeyArns", '["arn:aws:kms:eu-central-1:123456789012:key/1\n"]'),
        ("formerKeyArns", json.dumps(["arn:aws:kms:eu-central-1:123456789012:key/1"] * 2)),
        ("objectLockDays", "-1"),
        ("objectLockDays", "36501"),
        ("objectLockMode", "GOVERNANCE"),
        ("logRetentionDays", "0"),
        ("alarms", "none"),
        ("alarms", "Essential"),
        ("protectData", "yes"),
        ("protectData", "True"),
        ("throttleRate", "0"),
        ("throttleBurst", "5001"),
        ("jwtIssuer", "https://login.example.com/"),
        ("jwtAudience", '["bill-e"]'),
    ],
)
def test_value_out_of_bounds_is_refused(key: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(refusals(monkeypatch, **{key: value})) == {f"bill-e:{key}"}


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "https://*.example.com", "example.com", "ftp://example.com", "http://example.com"),
        *("https://example.com/", "https://example.com/app", "https://example.com?x=1", "https://a b", ""),
        *("https://Example.com", "https://user@example.com", "https://example.com:99999", "https://"),
    ],
)
def test_what_is_no_origin_is_refused(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(refusals(monkeypatch, allowedOrigins=json.dumps([origin]))) == {"bill-e:allowedOrigins"}


@pytest.mark.parametrize(
    "origin",
    ["https://receipts.example.com", "https://example.com:8443", "http://localhost:3000", "http://[::1]:80"],
)
def test_origin_is_accepted(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, allowedOrigins=json.dumps([origin])).allowed_origins == (origin,)


def test_jwt_needs_issuer_and_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(refusals(monkeypatch, apiAuth="jwt")) == {"bill-e:jwtIssuer", "bill-e:jwtAudience"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("jwtIssuer", "http://login.example.com"),
        ("jwtIssuer", "login.example.com"),
        ("jwtIssuer", "https://login.example.com/?a=b"),
        ("jwtIssuer", "https://x.example/#f"),
        ("jwtReadScope", ""),
        ("jwtReadScope", "receipts read"),
        ("jwtReadScope", 'a"b'),
    ],
)
def test_what_no_token_can_have_is_refused(key: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(refusals(monkeypatch, **JWT | {key: value})) == {f"bill-e:{key}"}


def test_issuer_on_this_machine_may_use_http(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, **JWT | {"jwtIssuer": "http://127.0.0.1:8080/realm"}).jwt_issuer


@pytest.mark.parametrize(
    ("settings", "key", "allowed"),
    [
        (
            {"batchSize": "11", "batchWindowSeconds": "0"},
            "batchWindowSeconds",
            "at least 1 with batches of more than 10 (here 11)",
        ),
        # The largest object that one upload to S3 can have.
        (
            {"maxReceiptMegabytes": "5121", "functionTimeoutSeconds": "900"},
            "maxReceiptMegabytes",
            "a whole number from 1 to 5,120",
        ),
        # The largest receipt has to be read before the function times out.
        (
            {"maxReceiptMegabytes": "351"},
            "functionTimeoutSeconds",
            "at least 61 for receipts of 351 MB at 10 MB/s",
        ),
        ({"objectLockMode": "compliance"}, "objectLockDays", "at least 1 with objectLockMode compliance"),
    ],
)
def test_values_that_do_not_go_together_are_refused(
    settings: dict[str, str], key: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusals(monkeypatch, **settings) == {f"bill-e:{key}": allowed}


def test_values_that_just_go_together_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, batchSize="10", batchWindowSeconds="0").batch_window_seconds == 0
    assert load(monkeypatch, maxReceiptMegabytes="350").max_receipt_megabytes == 350
    assert len(load(monkeypatch, uploadPrefix=f"{'r' * 255}/").upload_prefix) == 256


def test_a_value_that_cannot_be_read_raises_no_second_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(refusals(monkeypatch, batchSize="5000", batchWindowSeconds="soon")) == {
        "bill-e:batchWindowSeconds"
    }


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_former_key_may_be_of_any_partition(partition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = f"arn:{partition}:kms:cn-north-1:123456789012:key/mrk-1234abcd"
    assert load(monkeypatch, formerKeyArns=json.dumps([key])).former_key_arns == (key,)


def test_every_setting_is_an_argument_of_a_component_or_decides_whether_there_is_a_key() -> None:
    args = (StackArgs, LedgerArgs, IngestPipelineArgs, LedgerApiArgs, ReconcilerArgs)
    passed_on = {name for each in args for name in StackSettings().of(each)}
    assert set(StackSettings.names().values()) - passed_on == {"encryption"}


@dataclass(frozen=True, kw_only=True)
class DrawerSettings(Checked):
    drawers_per_shelf: int = setting(3, "How many drawers a shelf has", between(1, 9))


@dataclass(frozen=True, kw_only=True)
class DrawerArgs(DrawerSettings):
    name: str


@dataclass(frozen=True, kw_only=True)
class FurtherSettings(StackSettings, DrawerSettings):
    pass


def test_a_field_of_a_component_is_all_that_a_new_setting_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DrawerArgs(name="a", **load(monkeypatch, FurtherSettings).of(DrawerArgs)).drawers_per_shelf == 3
    given = load(monkeypatch, FurtherSettings, drawersPerShelf="5").of(DrawerArgs)
    assert DrawerArgs(name="a", **given).drawers_per_shelf == 5
    assert refusals(monkeypatch, FurtherSettings, drawersPerShelf="10", batchSize="0") == {
        "bill-e:drawersPerShelf": "a whole number from 1 to 9",
        "bill-e:batchSize": "a whole number from 1 to 10,000",
    }
    with pytest.raises(InvalidInputError, match="DrawerArgs:\n  - drawers_per_shelf is 0; allowed: a whole"):
        DrawerArgs(name="a", drawers_per_shelf=0)


def test_settings_cannot_be_changed() -> None:
    settings: Any = StackSettings()
    with pytest.raises(AttributeError):
        settings.batch_size = 5


class TestArguments:
    """What programs in other languages give: values with types, under the names of settings."""

    def test_values_become_settings_and_what_is_not_given_keeps_its_default(self) -> None:
        settings = StackSettings.from_arguments(
            {"batchSize": 5.0, "protectData": False, "allowedOrigins": ["https://a.example"], "apiAuth": None}
        )
        assert settings == StackSettings(
            batch_size=5, protect_data=False, allowed_origins=("https://a.example",)
        )

    @pytest.mark.parametrize(
        ("key", "value", "allowed"),
        [
            ("batchSize", "5", "a whole number"),
            ("batchSize", 5.5, "a whole number"),
            ("batchSize", float("inf"), "a whole number"),
            ("batchSize", True, "a whole number"),
            ("protectData", "false", "true or false"),
            ("protectData", 0, "true or false"),
            ("apiAuth", 1, "a string"),
            ("allowedOrigins", "https://a.example", "a list of strings"),
            ("allowedOrigins", [1], "a list of strings"),
        ],
    )
    def test_value_of_another_type_is_refused_with_the_type_it_must_have(
        self, key: str, value: object, allowed: str
    ) -> None:
        with pytest.raises(InvalidInputError) as refusal:
            StackSettings.from_arguments({key: value})
        (invalid,) = refusal.value.values
        assert (invalid.name, invalid.allowed) == (f"bill-e:{key}", allowed)

    def test_all_problems_are_told_at_once(self) -> None:
        arguments = {"batchSize": 0, "maxConcurrency": "x", "batchsize": 1}
        with pytest.raises(InvalidInputError) as refusal:
            StackSettings.from_arguments(arguments)
        assert {each.name for each in refusal.value.values} == {f"bill-e:{key}" for key in arguments}
