"""Controls of S3: the bucket of uploads and the one of its access logs."""

from __future__ import annotations

import pytest

from tests.components.controls.rules import (
    BUCKET,
    BUCKET_ENCRYPTION,
    BUCKET_LIFECYCLE,
    BUCKET_LOCK,
    BUCKET_LOGGING,
    BUCKET_OWNERSHIP,
    BUCKET_POLICY,
    BUCKET_PUBLIC_ACCESS,
    BUCKET_VERSIONING,
    FUNCTION,
    LOG_GROUP,
    PROTECTED,
    STRANGER,
    WITH_KEY,
    allowed,
    broken_by,
    default_encryption,
    is_closed_to_plain_http,
    is_for_this_account,
    keys,
    of_bucket,
    some,
    statements_of,
    without_sid,
)
from tests.components.mocks import ACCOUNT, Graph, Registered
from tests.components.sabotage import (
    REMOVED,
    with_further_statement,
    with_input,
    with_statement,
    without,
    without_statement,
)

SSE, STORAGE = "s3:x-amz-server-side-encryption", "s3:x-amz-storage-class"
READABLE_AT_ONCE = {
    *("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR")
}


@pytest.mark.claim(
    "all four flags of the public access block, on every bucket",
    control="S3.2, S3.3, S3.8, NAG S2",
    requires="no public read or write",
)
@broken_by(
    without(BUCKET_PUBLIC_ACCESS),
    with_input(BUCKET_PUBLIC_ACCESS, "blockPublicAcls", False),
    with_input(BUCKET_PUBLIC_ACCESS, "blockPublicPolicy", False),
    with_input(BUCKET_PUBLIC_ACCESS, "ignorePublicAcls", REMOVED),
    with_input(BUCKET_PUBLIC_ACCESS, "restrictPublicBuckets", False),
)
def test_s3_2_s3_3_s3_8_nag_s2_no_public_access(graph: Graph) -> None:
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    for bucket in some(graph, BUCKET):
        access = of_bucket(graph, BUCKET_PUBLIC_ACCESS, bucket)
        assert {flag: access.get(flag) for flag in flags} == dict.fromkeys(flags, True), bucket.name


@pytest.mark.claim(
    "a Deny in every bucket's policy, on the bucket and on its objects",
    control="S3.5, NAG S10",
    requires="TLS only",
)
@broken_by(
    without(BUCKET_POLICY),
    without_statement(BUCKET_POLICY, "TlsOnly"),
    with_statement(BUCKET_POLICY, "TlsOnly", "Effect", "Allow"),
    with_statement(BUCKET_POLICY, "TlsOnly", "Action", "s3:GetObject"),
    with_statement(BUCKET_POLICY, "TlsOnly", "Principal", {"Service": "s3.amazonaws.com"}),
    with_statement(BUCKET_POLICY, "TlsOnly", "Resource", ["arn:aws:s3:::other", "arn:aws:s3:::other/*"]),
    with_statement(BUCKET_POLICY, "TlsOnly", "Condition", {"Bool": {"aws:SecureTransport": "true"}}),
)
def test_s3_5_nag_s10_tls_only(graph: Graph) -> None:
    for bucket in some(graph, BUCKET):
        statements = statements_of(of_bucket(graph, BUCKET_POLICY, bucket))
        arn = bucket.outputs["arn"]
        assert is_closed_to_plain_http(statements, "s3:*", [arn, f"{arn}/*"]), bucket.name


@pytest.mark.claim(
    "the policy of a bucket only lets in AWS services that act for this account",
    control="S3.6",
    requires="no foreign-account grants",
)
@broken_by(
    with_further_statement(BUCKET_POLICY, "lets a stranger in", Principal=STRANGER, Action="s3:GetObject"),
    with_further_statement(BUCKET_POLICY, "lets everyone in", Principal="*", Action="s3:GetObject"),
    with_statement(
        BUCKET_POLICY,
        "DeliverAccessLogsOfUploads",
        "Condition",
        {"StringEquals": {"aws:SourceAccount": "999999999999"}},
    ),
    with_statement(BUCKET_POLICY, "DeliverAccessLogsOfUploads", "Condition", REMOVED),
)
def test_s3_6_no_foreign_grants(graph: Graph) -> None:
    for policy in some(graph, BUCKET_POLICY):
        assert all(map(is_for_this_account, allowed(statements_of(policy.inputs)))), policy.name


@pytest.mark.claim(
    "every bucket has access logs, except the one that they are delivered to; that one lets in only "
    "S3's log delivery, for these buckets of this account, and is encrypted with S3's own key, as S3 "
    "requires",
    control="S3.9, NAG S1",
    requires="access logs",
)
@broken_by(
    without(BUCKET_LOGGING),
    with_input(BUCKET_LOGGING, "targetBucket", "elsewhere"),
    with_input(BUCKET_LOGGING, "targetPrefix", "other/"),
    without_statement(BUCKET_POLICY, "DeliverAccessLogsOfUploads"),
    with_statement(BUCKET_POLICY, "DeliverAccessLogsOfUploads", "Action", "s3:*"),
    with_statement(BUCKET_POLICY, "DeliverAccessLogsOfUploads", "Principal", "*"),
    with_statement(
        BUCKET_POLICY,
        "DeliverAccessLogsOfUploads",
        "Condition",
        {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    ),
    with_statement(BUCKET_POLICY, "DeliverAccessLogsOfUploads", "Resource", "arn:aws:s3:::other/*"),
    with_input(
        BUCKET_ENCRYPTION,
        "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm",
        "aws:kms",
        where="access-logs",
    ),
)
def test_s3_9_nag_s1_access_logs(graph: Graph) -> None:
    buckets = {bucket.outputs["bucket"]: bucket for bucket in some(graph, BUCKET)}
    logging = {each.inputs["bucket"]: each.inputs for each in some(graph, BUCKET_LOGGING)}
    targets = {each["targetBucket"] for each in logging.values()}
    assert set(buckets) - set(logging) == targets
    for source, settings in logging.items():
        target = buckets[settings["targetBucket"]]
        deliveries = list(allowed(statements_of(of_bucket(graph, BUCKET_POLICY, target))))
        delivered = [each for each in logging.values() if each["targetBucket"] == settings["targetBucket"]]
        assert len(deliveries) == len(delivered)
        assert {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"{target.outputs['arn']}/{settings['targetPrefix']}*",
            "Condition": {
                "ArnEquals": {"aws:SourceArn": buckets[source].outputs["arn"]},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            },
        } in map(without_sid, deliveries)
        assert default_encryption(graph, target) == {"sseAlgorithm": "AES256"}


@pytest.mark.claim(
    "the bucket owner owns every object, and ACLs are off", control="S3.12", requires="no ACLs"
)
@broken_by(
    without(BUCKET_OWNERSHIP), with_input(BUCKET_OWNERSHIP, "rule.objectOwnership", "BucketOwnerPreferred")
)
def test_s3_12_no_acls(graph: Graph) -> None:
    for bucket in some(graph, BUCKET):
        assert of_bucket(graph, BUCKET_OWNERSHIP, bucket)["rule"] == {
            "objectOwnership": "BucketOwnerEnforced"
        }


@pytest.mark.claim(
    "parts of stale multipart uploads are deleted after 7 days, and access logs with their old versions "
    "after `logRetentionDays`, and batches of the log after 30 days; uploads never expire, since the ledger "
    "points to their object versions, and neither does the log",
    control="S3.13",
    requires="lifecycle",
)
@broken_by(
    without(BUCKET_LIFECYCLE),
    with_input(BUCKET_LIFECYCLE, "rules.0.status", "Disabled"),
    with_input(BUCKET_LIFECYCLE, "rules.0.abortIncompleteMultipartUpload", REMOVED),
    with_input(BUCKET_LIFECYCLE, "rules.0.filter", {"prefix": "some/"}),
    with_input(BUCKET_LIFECYCLE, "rules.1.status", "Disabled"),
    with_input(BUCKET_LIFECYCLE, "rules.1.expiration", {"days": 1}),
    with_input(BUCKET_LIFECYCLE, "rules.1.noncurrentVersionExpiration", REMOVED),
    with_input(BUCKET_LIFECYCLE, "rules.1.filter", {"prefix": "tile/"}),
    with_input(
        BUCKET_LIFECYCLE,
        "rules.0",
        {
            "id": "expire",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            "expiration": {"days": 30},
        },
        where="uploads",
    ),
)
def test_s3_13_lifecycle(graph: Graph) -> None:
    retention = {group.inputs["retentionInDays"] for group in some(graph, LOG_GROUP)}
    targets = {each.inputs["targetBucket"] for each in some(graph, BUCKET_LOGGING)}
    for bucket in some(graph, BUCKET):
        rules = of_bucket(graph, BUCKET_LIFECYCLE, bucket)["rules"]
        assert all(rule["status"] == "Enabled" for rule in rules)
        prefixes = {rule["filter"]["prefix"] for rule in rules if "expiration" in rule}
        assert all(rule["filter"] == {"prefix": ""} for rule in rules if "expiration" not in rule)
        actions = {
            key: value
            for rule in rules
            for key, value in rule.items()
            if key not in {"id", "status", "filter"}
        }
        assert actions.pop("abortIncompleteMultipartUpload", None) == {"daysAfterInitiation": 7}
        if bucket.outputs["bucket"] in targets:
            (days,) = retention
            assert actions.pop("expiration", None) == {"days": days}
            assert actions.pop("noncurrentVersionExpiration", None) == {"noncurrentDays": 1}
            assert prefixes == {""}
        elif is_log(bucket):
            assert actions.pop("expiration", None) == {"days": 30}
            assert actions.pop("noncurrentVersionExpiration", None) == {"noncurrentDays": 1}
            assert prefixes == {"staging/"}
        assert actions == {}, bucket.name


@pytest.mark.claim("every bucket, access logs included", control="S3.14", requires="versioning")
@broken_by(
    without(BUCKET_VERSIONING), with_input(BUCKET_VERSIONING, "versioningConfiguration.status", "Suspended")
)
def test_s3_14_versioning(graph: Graph) -> None:
    for bucket in some(graph, BUCKET):
        versioning = of_bucket(graph, BUCKET_VERSIONING, bucket)
        assert versioning["versioningConfiguration"] == {"status": "Enabled"}, bucket.name


@pytest.mark.claim(
    "option: `objectLockDays`, with `objectLockMode` governance or compliance",
    control="S3.15",
    requires="Object Lock",
)
@broken_by(
    without(BUCKET_LOCK),
    with_input(BUCKET_LOCK, "rule.defaultRetention.mode", "GOVERNANCE"),
    with_input(BUCKET_LOCK, "rule.defaultRetention.days", 1),
    with_input(FUNCTION, "environment.variables.LOCK_DAYS", "0"),
    over=["customer key"],
)
def test_s3_15_object_lock(graph: Graph) -> None:
    targets = {each.inputs["targetBucket"] for each in some(graph, BUCKET_LOGGING)}
    for bucket in some(graph, BUCKET):
        if bucket.outputs["bucket"] in targets:
            continue
        lock = of_bucket(graph, BUCKET_LOCK, bucket)
        if is_log(bucket):
            # The sealer locks what never changes.
            (sealer,) = (each for each in some(graph, FUNCTION) if ".sealer." in each.inputs["handler"])
            variables = sealer.inputs["environment"]["variables"]
            assert "rule" not in lock
            assert (variables["LOCK_MODE"], variables["LOCK_DAYS"]) == ("compliance", "2557")
            continue
        assert lock["rule"]["defaultRetention"] == {"mode": "COMPLIANCE", "days": 2557}


@pytest.mark.claim(
    "in every encryption mode, an upload is denied that asks for a storage class from which it would have "
    "to be restored, for a KMS key other than the stack's, or for a key of its uploader (SSE-C)",
    control="Readable uploads",
    requires="whatever is uploaded can be read",
)
@broken_by(
    without(BUCKET_POLICY),
    *(
        sabotage
        for sid in ("NoArchive", "NoKeyOfTheUploader", "OnlyTheKeyOfS3")
        for sabotage in (
            without_statement(BUCKET_POLICY, sid),
            with_statement(BUCKET_POLICY, sid, "Effect", "Allow"),
            with_statement(BUCKET_POLICY, sid, "Action", "s3:GetObject"),
            with_statement(BUCKET_POLICY, sid, "Principal", STRANGER),
        )
    ),
    with_statement(
        BUCKET_POLICY,
        "NoArchive",
        "Condition",
        {"StringNotEquals": {STORAGE: ["STANDARD", "GLACIER"]}, "Null": {STORAGE: "false"}},
    ),
)
def test_whatever_is_uploaded_can_be_read(graph: Graph) -> None:
    for bucket in some(graph, BUCKET):
        denied = {
            statement["Sid"]: statement["Condition"]
            for statement in statements_of(of_bucket(graph, BUCKET_POLICY, bucket))
            if (statement["Effect"], statement["Principal"]) == ("Deny", "*")
            and (statement["Action"], statement["Resource"]) == ("s3:PutObject", f"{bucket.outputs['arn']}/*")
        }
        archive = denied.get("NoArchive", {})
        assert archive.get("Null") == {STORAGE: "false"}
        assert set(archive["StringNotEquals"][STORAGE]) <= READABLE_AT_ONCE
        assert denied.get("NoKeyOfTheUploader") == {"Null": {f"{SSE}-customer-algorithm": "false"}}
        if default_encryption(graph, bucket)["sseAlgorithm"] == "AES256":
            only_s3 = denied.get("OnlyTheKeyOfS3")
            assert only_s3 == {"StringNotEquals": {SSE: "AES256"}, "Null": {SSE: "false"}}


@pytest.mark.claim(
    "option: `encryption: customer-key` encrypts uploads with the customer's key, with a bucket key; an "
    "upload that asks for any other encryption is denied",
    control="S3.17",
    requires="KMS at rest",
)
@broken_by(
    without(BUCKET_ENCRYPTION),
    with_input(
        BUCKET_ENCRYPTION,
        "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm",
        "AES256",
        where="uploads",
    ),
    with_input(
        BUCKET_ENCRYPTION, "rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId", "alias/aws/s3"
    ),
    with_input(BUCKET_ENCRYPTION, "rules.0.bucketKeyEnabled", False),
    without_statement(BUCKET_POLICY, "NoOtherEncryption"),
    without_statement(BUCKET_POLICY, "NoOtherKey"),
    with_statement(BUCKET_POLICY, "NoOtherKey", "Effect", "Allow"),
    with_statement(BUCKET_POLICY, "NoOtherKey", "Action", "s3:PutObjectAcl"),
    over=WITH_KEY,
)
def test_s3_17_customer_key(graph: Graph) -> None:
    targets = {each.inputs["targetBucket"] for each in some(graph, BUCKET_LOGGING)}
    for bucket in some(graph, BUCKET):
        encryption = default_encryption(graph, bucket)
        if bucket.outputs["bucket"] in targets:
            continue
        assert encryption["sseAlgorithm"] == "aws:kms"
        assert encryption["kmsMasterKeyId"] in keys(graph)
        assert of_bucket(graph, BUCKET_ENCRYPTION, bucket)["rules"][0]["bucketKeyEnabled"] is True
        wanted = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": encryption["kmsMasterKeyId"]}
        denied = [
            without_sid(statement)
            for statement in statements_of(of_bucket(graph, BUCKET_POLICY, bucket))
            if statement["Effect"] == "Deny"
        ]
        for condition_key, value in wanted.items():
            assert {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"{bucket.outputs['arn']}/*",
                "Condition": {"StringNotEquals": {condition_key: value}, "Null": {condition_key: "false"}},
            } in denied


@pytest.mark.claim(
    "with `protectData` (the default), nobody may delete an object of the log, or a version of one, or "
    "shorten its lock, whatever their IAM policies allow",
    control="The log",
    requires="append only",
)
@broken_by(
    without_statement(BUCKET_POLICY, "NobodyDeletes"),
    with_statement(BUCKET_POLICY, "NobodyDeletes", "Effect", "Allow"),
    with_statement(BUCKET_POLICY, "NobodyDeletes", "Principal", STRANGER),
    with_statement(BUCKET_POLICY, "NobodyDeletes", "Action", ["s3:DeleteObject"]),
    with_statement(BUCKET_POLICY, "NobodyDeletes", "Condition", {"Bool": {"aws:SecureTransport": "false"}}),
    over=PROTECTED,
)
def test_nobody_deletes_from_the_log(graph: Graph) -> None:
    (log,) = filter(is_log, some(graph, BUCKET))
    assert {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"],
        "Resource": f"{log.outputs['arn']}/*",
    } in map(without_sid, statements_of(of_bucket(graph, BUCKET_POLICY, log)))


def is_log(bucket: Registered) -> bool:
    """Tell whether a bucket is that of a transparency log."""
    return "TransparencyLog" in bucket.parent.rpartition("::")[0]
