"""The generated files by their paths in the repository, as they have to be."""

from __future__ import annotations

import json
from collections.abc import Mapping

from apidocs.openapi import openapi_document
from apidocs.settings import package_schema, project_file
from components.policies import caller_policy, deployer_policies

SAMPLE_BUCKET = "arn:aws:s3:::UPLOADS_BUCKET"
SAMPLE_API = "arn:aws:execute-api:REGION:ACCOUNT_ID:API_ID"


def documents() -> dict[str, str]:
    """Return the text of every generated file.

    The callers' sample policy is that of a stack with the default settings; a stack's own is its output
    `caller_policy`. Nothing of a stack is known before it is deployed, so the deployer's are for all stacks.
    """
    deployer = deployer_policies(account_id="ACCOUNT_ID", region="REGION")
    return {
        "Pulumi.yaml": project_file(),
        "package/schema.json": _json_text(package_schema()),
        "docs/openapi.json": _json_text(openapi_document()),
        "docs/caller-policy.json": _json_text(caller_policy(SAMPLE_BUCKET, SAMPLE_API)),
        **{f"docs/deployer-policy-{part}.json": _json_text(policy) for part, policy in deployer.items()},
    }


def _json_text(value: Mapping[str, object]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
