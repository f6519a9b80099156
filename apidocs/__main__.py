"""``python -m apidocs``: write the generated files, or with ``--check`` name those that are out of date."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from apidocs.configuration import package_schema, project_file, settings_page
from apidocs.openapi import openapi_document
from components.policies.deployer import deployer_policies
from components.policies.people import caller_policy

REPOSITORY = Path(__file__).resolve().parent.parent

SAMPLE_BUCKET = "arn:aws:s3:::UPLOADS_BUCKET"
SAMPLE_API = "arn:aws:execute-api:REGION:ACCOUNT_ID:API_ID"


def documents() -> dict[str, str]:
    """Return the text of every generated file, by its path in the repository.

    The policy for callers is that of a stack with the default settings. A deployed stack has its own in the
    output `caller_policy`. The policies for deployers are the same for all stacks.
    """
    deployer = deployer_policies(account_id="ACCOUNT_ID", region="REGION")
    return {
        "Pulumi.yaml": project_file(),
        "package/schema.json": _json_text(package_schema()),
        "docs/settings.md": settings_page(),
        "docs/openapi.json": _json_text(openapi_document()),
        "docs/caller-policy.json": _json_text(caller_policy(SAMPLE_BUCKET, SAMPLE_API)),
        **{f"docs/deployer-policy-{part}.json": _json_text(policy) for part, policy in deployer.items()},
    }


def _json_text(value: Mapping[str, object]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write every file that differs, or only name it; return the exit code."""
    only_check = arguments == ["--check"]
    if arguments and not only_check:
        sys.stderr.write("usage: python -m apidocs [--check]\n")
        return 2
    stale = {name: text for name, text in documents().items() if not _is_current(REPOSITORY / name, text)}
    for name, text in stale.items():
        if only_check:
            sys.stderr.write(f"{name} is not what the code says: run make docs\n")
        else:
            target = REPOSITORY / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return 1 if only_check and stale else 0


def _is_current(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
