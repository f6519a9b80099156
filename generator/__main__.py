"""``python -m generator`` writes the generated files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from components.policies.deployer import deployer_policies
from components.policies.people import caller_policy
from generator.configuration import package_schema, project_file, settings_page
from generator.openapi import openapi_document

REPOSITORY = Path(__file__).resolve().parent.parent

CALLER_POLICY = caller_policy(
    bucket_arn="arn:aws:s3:::UPLOADS_BUCKET",
    api_execution_arn="arn:aws:execute-api:REGION:ACCOUNT_ID:API_ID",
    upload_prefix="",
    key_arn=None,
    dns_suffix="amazonaws.com",
)
"""The policy of a stack with the default settings. A deployed stack has its own in an output."""


def documents() -> dict[str, str]:
    """Return the text of every generated file, by its path in the repository."""
    deployer = deployer_policies(account_id="ACCOUNT_ID", region="REGION")
    return {
        "Pulumi.yaml": project_file(),
        "package/schema.json": _json_text(package_schema()),
        "docs/settings.md": settings_page(),
        "docs/openapi.json": _json_text(openapi_document()),
        "docs/caller-policy.json": _json_text(CALLER_POLICY),
        **{f"docs/deployer-policy-{part}.json": _json_text(policy) for part, policy in deployer.items()},
    }


def _json_text(value: Mapping[str, object]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every file."""
    for name, text in documents().items():
        (REPOSITORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
