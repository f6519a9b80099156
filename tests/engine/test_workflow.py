"""The workflow that deploys from GitHub: its syntax, and what it may do with which credentials."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

from local import REPOSITORY
from local.engine.tools import MODULES

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
DEPLOY = REPOSITORY / ".github" / "workflows" / "deploy.yml"
GUIDE = REPOSITORY / "docs" / "deploying-from-ci.md"
DEPLOYMENTS = {"deploy-dev": "dev", "deploy-prod": "prod"}

PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    """The workflow as YAML 1.1 reads it, in which ``on`` is a truth value."""
    content: dict[Any, Any] = yaml.safe_load(DEPLOY.read_text())
    return content


def jobs(workflow: dict[Any, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from workflow["jobs"].items()


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def credentials(job: dict[str, Any]) -> dict[str, str]:
    (step,) = (step for step in job["steps"] if "configure-aws-credentials" in step.get("uses", ""))
    given: dict[str, str] = step["with"]
    return given


def test_actionlint_has_nothing_to_say(actionlint: Path) -> None:
    assert WORKFLOWS

    # Its checks by shellcheck and pyflakes depend on what else a machine has.
    ran = subprocess.run(
        [str(actionlint), "-no-color", "-shellcheck=", "-pyflakes=", *map(str, WORKFLOWS)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


def test_it_runs_for_pull_requests_and_for_main_only(workflow: dict[Any, Any]) -> None:
    # pull_request_target would run a fork's code with this repository's rights.
    assert workflow[True] == {"pull_request": {"branches": ["main"]}, "push": {"branches": ["main"]}}


def test_secrets_are_encrypted_by_the_key_that_the_state_names(workflow: dict[Any, Any]) -> None:
    """Stack files in the repository name no key, so the CLI has to take the state's."""
    assert workflow["env"] == {
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    for file in REPOSITORY.glob("Pulumi.*.yaml"):
        if file.name != "Pulumi.local.yaml":
            assert (
                not {"secretsprovider", "encryptedkey", "encryptionsalt"}
                & yaml.safe_load(file.read_text()).keys()
            ), file.name


def test_no_secret_and_no_key_is_stored() -> None:
    text = DEPLOY.read_text()

    assert "secrets." not in text
    assert "access-key" not in text
    assert "PASSPHRASE" not in text


def test_jobs_may_read_the_code_and_ask_for_a_token_and_no_more(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {}
    for name, job in jobs(workflow):
        assert job["permissions"] == {"contents": "read", "id-token": "write"}, name
        (checkout,) = (step for step in job["steps"] if "actions/checkout@" in step.get("uses", ""))
        assert checkout["with"] == {"persist-credentials": False}, name


def test_pull_requests_of_forks_run_nothing(workflow: dict[Any, Any]) -> None:
    condition = workflow["jobs"]["preview"]["if"]

    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition
    assert "||" not in condition


def test_pull_requests_preview_and_nothing_else(workflow: dict[Any, Any]) -> None:
    preview = workflow["jobs"]["preview"]

    assert preview["strategy"]["matrix"] == {"stack": [*DEPLOYMENTS.values()]}
    assert preview["env"] == {
        "STACK": "${{ matrix.stack }}",
        "PULUMI_BACKEND_URL": "${{ vars.PULUMI_BACKEND_URL }}",
    }
    assert commands(preview) == ["make install", 'pulumi preview --stack "$STACK" --diff --non-interactive']
    assert credentials(preview)["role-to-assume"] == "${{ vars.AWS_PREVIEW_ROLE_ARN }}"
    for name, job in jobs(workflow):
        if name != "preview":
            assert "github.event_name == 'push'" in job.get("if", "") or job["needs"] == "deploy-dev", name


def test_each_deployment_has_its_environment_and_role_and_waits_for_its_turn(
    workflow: dict[Any, Any],
) -> None:
    assert [name for name, _ in jobs(workflow)] == ["preview", *DEPLOYMENTS]
    for name, stack in DEPLOYMENTS.items():
        job = workflow["jobs"][name]
        assert job["environment"] == stack
        assert job["env"] == {
            "STACK": stack,
            "PULUMI_BACKEND_URL": "${{ vars.PULUMI_BACKEND_URL }}",
            "SECRETS_PROVIDER": "${{ vars.PULUMI_SECRETS_PROVIDER }}",
        }
        assert job["concurrency"] == {"group": f"deploy-{stack}", "cancel-in-progress": False}
        assert commands(job) == [
            "make install",
            'pulumi stack select "$STACK" --create --secrets-provider "$SECRETS_PROVIDER"',
            'pulumi up --stack "$STACK" --yes --non-interactive',
        ]
        assert credentials(job)["role-to-assume"] == "${{ vars.AWS_DEPLOY_ROLE_ARN }}"


def test_both_stacks_are_deployed_by_the_same_steps_prod_after_dev(workflow: dict[Any, Any]) -> None:
    dev, prod = (workflow["jobs"][name] for name in DEPLOYMENTS)

    assert prod["needs"] == "deploy-dev"
    assert prod["steps"] == dev["steps"]


def test_every_job_ends_and_takes_credentials_of_the_expected_account_only(workflow: dict[Any, Any]) -> None:
    for name, job in jobs(workflow):
        assert 0 < job["timeout-minutes"] <= 45, name
        assert job["runs-on"] == "ubuntu-24.04", name
        assert credentials(job)["allowed-account-ids"] == "${{ vars.AWS_ACCOUNT_ID }}", name


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_pinned_by_a_commit_and_names_its_version(file: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in file.read_text().splitlines() if "uses:" in line]

    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_it_deploys_with_the_cli_that_the_tests_build() -> None:
    (tested,) = re.findall(r"pulumi/pkg/v3 v(\S+)", (MODULES / "pulumi" / "go.mod").read_text())

    assert set(re.findall(r"pulumi-version: (\S+)", DEPLOY.read_text())) == {tested}


def test_packages_are_installed_from_the_hashed_list(workflow: dict[Any, Any]) -> None:
    for name, job in jobs(workflow):
        assert commands(job)[0] == "make install", name
        assert not [command for command in commands(job) if "pip" in command], name


def test_documents_say_which_variables_it_reads() -> None:
    guide = GUIDE.read_text()

    for variable in sorted(set(re.findall(r"vars\.(\w+)", DEPLOY.read_text()))):
        assert f"`{variable}`" in guide, variable


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_roles_trust_pull_requests_and_environments_of_this_repository_only() -> None:
    issuer = "token.actions.githubusercontent.com"
    documents = [json.loads(block) for block in blocks("json")]
    trusts = [each for each in documents if "Principal" in each["Statement"][0]]

    subjects = []
    for trust in trusts:
        (statement,) = trust["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert statement["Condition"].keys() == {"StringEquals"}
        equals = statement["Condition"]["StringEquals"]
        assert equals.keys() == {f"{issuer}:aud", f"{issuer}:sub"}
        assert equals[f"{issuer}:aud"] == "sts.amazonaws.com"
        subjects.append(equals[f"{issuer}:sub"])
    assert subjects == [
        "repo:OWNER/NAME:pull_request",
        [f"repo:OWNER/NAME:environment:{stack}" for stack in DEPLOYMENTS.values()],
    ]


def test_preview_can_write_nothing_and_read_nothing_but_the_state() -> None:
    documents = [json.loads(block) for block in blocks("json")]
    reading, writing = (each["Statement"] for each in documents if "Principal" not in each["Statement"][0])

    bucket, objects, key = "arn:aws:s3:::STATE", "arn:aws:s3:::STATE/.pulumi/*", "KEY_ARN"
    assert _allowed(reading) == {
        ("s3:ListBucket", bucket),
        ("s3:GetObject", objects),
        ("kms:Decrypt", key),
    }
    assert _allowed(writing) == _allowed(reading) | {
        ("s3:PutObject", objects),
        ("s3:DeleteObject", objects),
        ("kms:Encrypt", key),
    }


def _allowed(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Each action that is allowed, with its resource."""
    allowed = set()
    for statement in statements:
        assert statement.keys() == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            allowed.add((action, statement["Resource"]))
    return allowed


def test_aws_commands_of_the_guide_exist_with_their_options() -> None:
    session = botocore.session.get_session()
    commands = re.findall(r"(?:^|\()\s*aws (\S+) (\S+) ([^#\n]*)", "\n".join(blocks("bash")), re.MULTILINE)

    assert len(commands) > 10
    for service, command, rest in commands:
        model = session.get_service_model({"s3api": "s3"}.get(service, service))
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        shape = model.operation_model(operations[command]).input_shape
        options = {xform_name(member, "-") for member in shape.members} if shape else set()
        given = set(re.findall(r"--([a-z-]+)", rest)) - {"query", "output"}
        assert given <= options, f"aws {service} {command}"
        if shape:
            assert {xform_name(member, "-") for member in shape.required_members} <= given, command
