"""PythonFunction: role, log group and Lambda function for one handler of `functions/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import pulumi
import pulumi_aws as aws

from components import policies
from components.alarms import create_alarms, function_alarms
from components.checks import Problem, between, refuse
from components.common import CommonArgs, protected

FUNCTIONS = Path(__file__).parent.parent / "functions"

ARCHITECTURE = "arm64"

RUNTIME = "python3.14"
"""A test says when the AWS provider knows a newer one. Nothing is moved to it untried."""

MAX_TIMEOUT_SECONDS = 900
MIN_MEMORY_MEGABYTES, MAX_MEMORY_MEGABYTES = 128, 10_240
"""AWS Lambda Developer Guide, "Lambda quotas"."""


def source_files(packages: Sequence[str], root: Path = FUNCTIONS) -> list[str]:
    """List the modules of packages under `root` and those beside them, as sorted paths from above `root`.

    One by one, since an archive of a folder would pick up whatever lies there, caches first.
    """
    modules = list(root.glob("*.py"))
    for package in packages:
        modules += (root / package).rglob("*.py")
    names = (path.relative_to(root.parent) for path in modules)
    return sorted(name.as_posix() for name in names if _is_shipped(name))


def _is_shipped(module: PurePath) -> bool:
    """Leave out caches, tests, and whatever cannot be imported, as copies and hidden folders."""
    parts = module.with_suffix("").parts
    is_importable = all(part.isidentifier() for part in parts)
    is_test = any(part in {"conftest", "tests"} or part.startswith("test_") for part in parts)
    return is_importable and not is_test and "__pycache__" not in parts


def source_archive(packages: Sequence[str]) -> pulumi.AssetArchive:
    """Archive the modules under ``functions/``, so that imports read the same everywhere."""
    return pulumi.AssetArchive(
        {name: pulumi.FileAsset(str(FUNCTIONS.parent / name)) for name in source_files(packages)}
    )


@dataclass(frozen=True, kw_only=True)
class PythonFunctionArgs:
    """What a function is made of.

    `package` is the folder under ``functions/`` whose ``handler.handle`` runs; `shared` are the other folders
    that it imports from. `layers` hold what it imports beyond that and the runtime. `statements` are what its
    role may do beside writing logs and traces. `decrypts_via` and `encrypts_via` are the services where it
    reads and writes what a customer's key encrypts. `essential_errors` is explained at `function_alarms`.
    `hooks` are run by Pulumi around each change of it.
    """

    common: CommonArgs
    package: str
    shared: Sequence[str]
    description: str
    statements: pulumi.Input[list[policies.Statement]]
    environment: Mapping[str, pulumi.Input[str]]
    timeout_seconds: int
    memory_megabytes: int
    layers: Sequence[pulumi.Input[str]] = ()
    decrypts_via: Sequence[str] = ()
    encrypts_via: Sequence[str] = ()
    essential_errors: bool = False
    hooks: pulumi.ResourceHookBinding | None = None

    def __post_init__(self) -> None:
        refuse(
            "PythonFunctionArgs",
            *(_package_exists(package) for package in (self.package, *self.shared)),
            between("timeout_seconds", self.timeout_seconds, 1, MAX_TIMEOUT_SECONDS),
            between("memory_megabytes", self.memory_megabytes, MIN_MEMORY_MEGABYTES, MAX_MEMORY_MEGABYTES),
        )


def _package_exists(package: str) -> Problem | None:
    if (FUNCTIONS / package / "__init__.py").is_file():
        return None
    return Problem(name="package", value=package, allowed="a package under functions/")


def _key_use(
    args: PythonFunctionArgs, dns_suffix: pulumi.Output[str]
) -> list[pulumi.Output[list[policies.Statement]]]:
    former = policies.resolve(
        policies.former_key_statements,
        key_arns=args.common.former_key_arns,
        decrypt_via=args.decrypts_via,
        dns_suffix=dns_suffix,
    )
    if args.common.key_arn is None:
        return [former]
    present = policies.resolve(
        policies.key_use_statements,
        key_arn=args.common.key_arn,
        decrypt_via=args.decrypts_via,
        encrypt_via=args.encrypts_via,
        dns_suffix=dns_suffix,
    )
    return [present, former]


class PythonFunction(pulumi.ComponentResource):
    """A Lambda function with a role, a log group and alarms of its own.

    Outputs: `arn`, `name`, `log_group_name`; and `alarm_arns`, and `memory_megabytes` as it was
    given. The function is created after its role's policy.
    """

    def __init__(
        self, name: str, args: PythonFunctionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:function:PythonFunction", name, None, opts)
        child, invoke = pulumi.ResourceOptions(parent=self), pulumi.InvokeOutputOptions(parent=self)

        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            retention_in_days=args.common.log_retention_days,
            kms_key_id=args.common.key_arn,
            tags=args.common.tags,
            opts=protected(args.common, self),
        )
        role = aws.iam.Role(
            f"{name}-role",
            description=args.description,
            assume_role_policy=pulumi.Output.json_dumps(policies.lambda_trust()),
            tags=args.common.tags,
            opts=child,
        )
        role_policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=policies.to_json(
                policies.resolve(policies.function_statements, log_group_arn=log_group.arn),
                args.statements,
                *_key_use(args, aws.get_partition_output(opts=invoke).dns_suffix),
            ),
            opts=child,
        )
        function = aws.lambda_.Function(
            f"{name}-function",
            description=args.description,
            role=role.arn,
            runtime=RUNTIME,
            architectures=[ARCHITECTURE],
            handler=f"functions.{args.package}.handler.handle",
            code=source_archive([args.package, *args.shared]),
            layers=args.layers,
            timeout=args.timeout_seconds,
            memory_size=args.memory_megabytes,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=args.environment),
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="JSON", log_group=log_group.name),
            tracing_config=aws.lambda_.FunctionTracingConfigArgs(mode="Active"),
            tags=args.common.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role_policy], hooks=args.hooks),
        )

        alarms = function_alarms(
            function.name,
            args.timeout_seconds,
            args.common.alarms.thresholds,
            essential_errors=args.essential_errors,
        )
        self.alarm_arns = create_alarms(name, alarms, args.common, self)
        self.memory_megabytes = args.memory_megabytes
        self.service = name
        self.arn = function.arn
        self.name = function.name
        self.log_group_name = log_group.name
        self.register_outputs(
            {
                "arn": self.arn,
                "name": self.name,
                "log_group_name": self.log_group_name,
            }
        )
