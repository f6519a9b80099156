"""Controls of KMS: the keys, and who may use them."""

from __future__ import annotations

import pytest

from tests.components.controls.rules import (
    FUNCTION,
    KEY,
    KEY_ALIAS,
    PROTECTED,
    RAW,
    ROLE_POLICY,
    STRANGER,
    WITH_KEY,
    allowed,
    as_list,
    broken_by,
    granted,
    is_for_signing,
    is_for_this_account,
    keys,
    some,
    statements_of,
    without_sid,
)
from tests.components.mocks import ACCOUNT, REGION, Graph, Registered
from tests.components.programs import FORMER_KEYS
from tests.components.sabotage import (
    REMOVED,
    with_exported_statement,
    with_further_statement,
    with_input,
    with_new_input,
    with_statement,
    without,
    without_retention,
    without_statement,
)

KMS_USES = {
    "dynamodb:BatchGetItem": {("kms:Decrypt", "dynamodb")},
    "dynamodb:GetItem": {("kms:Decrypt", "dynamodb")},
    "dynamodb:PutItem": {("kms:Decrypt", "dynamodb")},
    "dynamodb:Query": {("kms:Decrypt", "dynamodb")},
    "dynamodb:Scan": {("kms:Decrypt", "dynamodb")},
    "dynamodb:UpdateItem": {("kms:Decrypt", "dynamodb")},
    "s3:GetObject": {("kms:Decrypt", "s3")},
    "s3:GetObjectVersion": {("kms:Decrypt", "s3")},
    "s3:PutObject": {("kms:GenerateDataKey", "s3")},
    "sqs:ReceiveMessage": {("kms:Decrypt", "sqs")},
    "sqs:SendMessage": {("kms:Decrypt", "sqs"), ("kms:GenerateDataKey", "sqs")},
}
"""What KMS is asked, and through which service, as a role does something with what the key encrypts."""

ONLY_ASKS = {"SeeUploads"}
"""What is only for a HeadObject without checksums, which needs no key (Amazon S3 API Reference)."""


@pytest.mark.claim(
    "roles and people may only use named keys, through named services",
    control="KMS.1, KMS.2",
    requires="named keys only",
)
@broken_by(
    with_statement(ROLE_POLICY, "DecryptWithKey", "Resource", "*"),
    with_statement(ROLE_POLICY, "DecryptWithKey", "Resource", "arn:aws:kms:eu-central-1:123456789012:key/*"),
    with_statement(ROLE_POLICY, "DecryptWithKey", "Condition", REMOVED),
    with_statement(ROLE_POLICY, "EncryptWithKey", "Resource", "*"),
    with_statement(ROLE_POLICY, "DecryptWithFormerKeys", "Resource", ["*"]),
    with_statement(ROLE_POLICY, "DecryptWithFormerKeys", "Condition", REMOVED),
    with_exported_statement("decrypts with any key", Action="kms:Decrypt", Resource="*"),
    with_statement(
        ROLE_POLICY,
        "EncryptWithKey",
        "Condition",
        {"StringLike": {"kms:ViaService": ["s3.eu-central-1.amazonaws.com"]}},
    ),
    over=WITH_KEY,
)
def test_kms_1_kms_2_named_keys_only(graph: Graph) -> None:
    uses = [
        statement
        for _, statement in granted(graph)
        if any(action.startswith("kms:") for action in as_list(statement["Action"]))
    ]
    assert uses
    for statement in uses:
        assert set(as_list(statement["Resource"])) <= {*keys(graph), *FORMER_KEYS}
        if statement["Action"] == "kms:Sign":
            assert statement["Resource"] in {key.outputs["arn"] for key in signing_keys(graph)}
            assert statement["Condition"] == {"StringEquals": RAW}
            continue
        services = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", [])
        assert services
        assert set(services) <= {f"{service}.{REGION}.amazonaws.com" for service in ("dynamodb", "s3", "sqs")}


@pytest.mark.claim(
    "a role may only decrypt and encrypt through the services where it reads and writes, and with a "
    "former key (`formerKeyArns`) only decrypt; the embedded AWS doesn't ask KMS, so this rule stands "
    "in for it",
    control="KMS, least privilege",
    requires="exactly what AWS asks for",
)
@broken_by(
    without_statement(ROLE_POLICY, "DecryptWithKey"),
    without_statement(ROLE_POLICY, "EncryptWithKey"),
    without_statement(ROLE_POLICY, "DecryptWithFormerKeys"),
    with_statement(ROLE_POLICY, "DecryptWithFormerKeys", "Action", ["kms:Decrypt", "kms:GenerateDataKey"]),
    with_statement(ROLE_POLICY, "DecryptWithFormerKeys", "Resource", [FORMER_KEYS[0]]),
    with_statement(ROLE_POLICY, "DecryptWithKey", "Action", ["kms:Decrypt", "kms:Encrypt"]),
    with_statement(
        ROLE_POLICY,
        "DecryptWithKey",
        "Condition",
        {"StringEquals": {"kms:ViaService": ["s3.eu-central-1.amazonaws.com"]}},
    ),
    without_statement(ROLE_POLICY, "InsertEntries"),
    without_statement(ROLE_POLICY, "ReadUploads"),
    over=WITH_KEY,
)
def test_kms_roles_use_the_key_exactly_where_they_read_and_write(graph: Graph) -> None:
    former = FORMER_KEYS if "DecryptWithFormerKeys" in str(graph.exports) else ()
    for policy in some(graph, ROLE_POLICY):
        needed: set[tuple[str, str]] = set()
        may: dict[str, set[tuple[str, str]]] = {}
        for statement in allowed(statements_of(policy.inputs)):
            # S3's own key encrypts the access logs, and what the reconciler keeps with them.
            uses_key = "-access-logs-" not in str(statement["Resource"])
            for action in as_list(statement["Action"]):
                if uses_key and statement["Sid"] not in ONLY_ASKS:
                    needed |= KMS_USES.get(action, set())
                if action.startswith("kms:") and action != "kms:Sign":
                    services = statement["Condition"]["StringEquals"]["kms:ViaService"]
                    uses = {(action, service.split(".")[0]) for service in services}
                    for key in as_list(statement["Resource"]):
                        may[key] = may.get(key, set()) | uses
        decrypts = {use for use in needed if use[0] == "kms:Decrypt"}
        assert {key: uses for key, uses in may.items() if key in former} == dict.fromkeys(former, decrypts)
        assert [uses for key, uses in may.items() if key not in former] == [needed], policy.name
        sids = {statement["Sid"] for statement in statements_of(policy.inputs)}
        if policy.name.endswith("processor-policy"):
            assert sids >= {"TakeMessages", "ReadUploads", "InsertEntries"}


@pytest.mark.claim(
    "every key that encrypts is rotated, and KMS waits before it deletes a key; it can't rotate the key that "
    "signs the log",
    control="KMS.4",
    requires="rotation",
)
@broken_by(
    with_input(KEY, "enableKeyRotation", False),
    with_input(KEY, "enableKeyRotation", REMOVED),
    with_input(KEY, "deletionWindowInDays", REMOVED),
)
def test_kms_4_rotation(graph: Graph) -> None:
    for key in some(graph, KEY):
        assert key.inputs.get("enableKeyRotation", False) is not is_for_signing(key), key.name
        assert 7 <= key.inputs.get("deletionWindowInDays", 0) <= 30, key.name


@pytest.mark.claim(
    "only this account administers a key, and it can only encrypt and decrypt through services; AWS "
    "services use the key only for this account; each action is named",
    control="KMS.5",
    requires="policy not public",
)
@broken_by(
    with_input(KEY, "policy", REMOVED),
    with_new_input(KEY, "bypassPolicyLockoutSafetyCheck", True),
    with_further_statement(KEY, "lets everyone in", Principal="*", Action="kms:Decrypt", Resource="*"),
    with_further_statement(KEY, "lets a stranger in", Principal=STRANGER, Action="kms:Decrypt", Resource="*"),
    with_further_statement(
        KEY, "lets the account decrypt", Principal={"AWS": ACCOUNT}, Action=["kms:Decrypt"], Resource="*"
    ),
    with_statement(KEY, "AccountAdministersTheKey", "Action", ["kms:*"]),
    with_statement(KEY, "AccountUsesTheKeyThroughServices", "Condition", REMOVED),
    with_statement(KEY, "BucketsSendEvents", "Condition", REMOVED),
    with_statement(KEY, "LogGroupsAreEncrypted", "Condition", REMOVED),
    with_statement(
        KEY,
        "LogGroupsAreEncrypted",
        "Condition",
        {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:*:logs:*:*:log-group:*"}},
    ),
    with_statement(KEY, "AlarmsNotify", "Condition", REMOVED),
)
def test_kms_5_policy_is_not_public(graph: Graph) -> None:
    cryptographic = ("Decrypt", "Encrypt", "GenerateDataKey", "ReEncrypt", "CreateGrant")
    for key in some(graph, KEY):
        assert "policy" in key.inputs, key.name
        assert not key.inputs.get("bypassPolicyLockoutSafetyCheck")
        for statement in statements_of(key.inputs):
            actions = as_list(statement["Action"])
            assert not any("*" in action for action in actions)
            if statement["Effect"] == "Deny" or actions == ["kms:Sign"]:
                continue
            if statement["Principal"] == {"AWS": ACCOUNT}:
                uses = any(action.removeprefix("kms:").startswith(cryptographic) for action in actions)
                services = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")
                assert bool(services) is uses, statement["Sid"]
            else:
                assert set(statement["Principal"]) == {"Service"}, statement["Sid"]
                assert is_for_this_account(statement), statement["Sid"]


@pytest.mark.claim(
    "the customer's key has an alias, and it stays in the account when its stack is destroyed or no "
    "longer uses it; if somebody deletes it, KMS waits 30 days",
    control="KMS.3",
    requires="no deletion by accident",
)
@broken_by(
    without(KEY_ALIAS),
    without_retention(KEY),
    with_input(KEY, "deletionWindowInDays", 7, where="encryption"),
    over=WITH_KEY,
)
def test_kms_3_customer_key_is_not_deleted_by_accident(graph: Graph) -> None:
    aliased = {alias.inputs["targetKeyId"] for alias in graph.of_type(KEY_ALIAS)}
    data_keys = [key for key in some(graph, KEY) if key.outputs["arn"] in keys(graph, for_data=True)]
    assert data_keys
    for key in data_keys:
        assert key.outputs["keyId"] in aliased
        assert key.inputs["deletionWindowInDays"] == 30
        assert key.retain_on_delete


@pytest.mark.claim(
    "the sealer's role alone may sign the log, and only whole messages, whatever the IAM policies of others "
    "allow; with `protectData` (the default), nobody can disable the key or have it deleted, and Pulumi "
    "doesn't",
    control="KMS, the log's key",
    requires="one signer",
)
@broken_by(
    without_statement(KEY, "TheKeyStays"),
    with_statement(KEY, "TheKeyStays", "Action", ["kms:DisableKey"]),
    with_statement(KEY, "TheKeyStays", "Principal", STRANGER),
    with_statement(KEY, "TheSealerSigns", "Condition", REMOVED),
    with_statement(KEY, "TheSealerSigns", "Condition", {"StringEquals": RAW}),
    with_statement(KEY, "TheSealerSigns", "Principal", STRANGER),
    with_further_statement(
        KEY, "lets the account sign", Principal={"AWS": ACCOUNT}, Action=["kms:Sign"], Resource="*"
    ),
    with_input(KEY, "customerMasterKeySpec", "ECC_NIST_P256"),
    with_statement(ROLE_POLICY, "SignCheckpoints", "Condition", REMOVED),
    over=PROTECTED,
)
def test_kms_only_the_sealer_signs_and_its_key_stays(graph: Graph) -> None:
    (function,) = (each for each in some(graph, FUNCTION) if ".sealer." in each.inputs["handler"])
    (key,) = signing_keys(graph)
    assert key.inputs["customerMasterKeySpec"] == "ECC_NIST_EDWARDS25519"
    assert key.protect
    signing = [
        without_sid(each)
        for one in some(graph, KEY)
        for each in allowed(statements_of(one.inputs))
        if "kms:Sign" in as_list(each["Action"])
    ]
    assert signing == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": ACCOUNT},
            "Action": "kms:Sign",
            "Resource": "*",
            "Condition": {
                "ArnEquals": {"aws:PrincipalArn": function.inputs["role"]},
                "StringEquals": RAW,
            },
        }
    ]
    assert {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["kms:DisableKey", "kms:ScheduleKeyDeletion"],
        "Resource": "*",
    } in map(without_sid, statements_of(key.inputs))
    signers = [(name, each) for name, each in granted(graph) if "kms:Sign" in as_list(each["Action"])]
    assert [(name, each.get("Condition")) for name, each in signers] == [
        ("bill-e-log-sealer-policy", {"StringEquals": RAW})
    ]


def signing_keys(graph: Graph) -> list[Registered]:
    return [key for key in some(graph, KEY) if is_for_signing(key)]
