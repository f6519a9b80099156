"""PythonFunction: a Lambda function for one handler in `functions/`, with its role and its log group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import pulumi
import pulumi_aws as aws

from components.alarms import create_alarms, function_alarms
from components.policies.documents import Statement, resolve, to_json
from components.policies.keys import former_key_statements, key_use_statements
from components.policies.roles import function_statements, lambda_trust
from components.stack_args import StackArgs, protected
from components.validation import Check, Checked, argument, between, each

FUNCTIONS = Path(__file__).parent.parent / "functions"

ARCHITECTURE = "arm64"

RUNTIME = "python3.14"
"""A test fails when the AWS provider knows a newer one. Try it before you change this."""

MAX_TIMEOUT_SECONDS = 900
"""AWS Lambda Developer Guide, "Lambda quotas"."""


def source_files(packages: Sequence[str], root: Path = FUNCTIONS) -> list[str]:
    """List the modules in packages under `root` and those beside them, as sorted paths from above `root`.

    An archive of a whole folder would contain caches and other files that don't belong there.
    """
    modules = list(root.glob("*.py"))
    for package in packages:
        modules += (root / package).rglob("*.py")
    names = (path.relative_to(root.parent) for path in modules)
    return sorted(name.as_posix() for name in names if _is_shipped(name))


def _is_shipped(module: PurePath) -> bool:
    """Leave out caches, tests, and files that can't be imported, such as copies and hidden ones."""
    parts = module.with_suffix("").parts
    is_importable = all(part.isidentifier() for part in parts)
    is_test = any(part in {"conftest", "tests"} or part.startswith("test_") for part in parts)
    return is_importable and not is_test and "__pycache__" not in parts


def source_archive(packages: Sequence[str]) -> pulumi.AssetArchive:
    """Archive the modules under ``functions/``, so that they import each other as they do here."""
    return pulumi.AssetArchive(
        {name: pulumi.FileAsset(str(FUNCTIONS.parent / name)) for name in source_files(packages)}
    )


A_PACKAGE = Check(
    holds=lambda package: (FUNCTIONS / package / "__init__.py").is_file(),
    allowed="a package under functions/",
)


@dataclass(frozen=True, kw_only=True)
class MemoryArgs(Checked):
    """How much memory functions have."""

    # AWS Lambda Developer Guide, "Lambda quotas".
    memory_megabytes: int = argument(between(128, 10_240), default=512)


@dataclass(frozen=True, kw_only=True)
class PythonFunctionArgs(MemoryArgs):
    """The args of a function.

    `package` is the folder under ``functions/`` whose ``handler.handle`` runs, and `shared` are the other
    folders that it imports from. `layers` have the libraries that are not in the runtime. `statements` say
    what its role may do apart from writing logs and traces. `decrypts_via` and `encrypts_via` are the
    services where it reads and writes data under a customer's key. `function_alarms` explains
    `essential_errors`. Pulumi runs `hooks` when it changes the function. Without a `role`, one is made.
    """

    stack: StackArgs
    package: str = argument(A_PACKAGE)
    shared: Sequence[str] = argument(each(A_PACKAGE))
    description: str
    statements: pulumi.Input[list[Statement]]
    environment: Mapping[str, pulumi.Input[str]]
    timeout_seconds: int = argument(between(1, MAX_TIMEOUT_SECONDS))
    layers: Sequence[pulumi.Input[str]] = ()
    decrypts_via: Sequence[str] = ()
    encrypts_via: Sequence[str] = ()
    essential_errors: bool = False
    hooks: pulumi.ResourceHookBinding | None = None
    role: aws.iam.Role | None = None


def _key_use(
    args: PythonFunctionArgs, dns_suffix: pulumi.Output[str]
) -> list[pulumi.Output[list[Statement]]]:
    former = resolve(
        former_key_statements,
        key_arns=args.stack.former_key_arns,
        decrypt_via=args.decrypts_via,
        dns_suffix=dns_suffix,
    )
    if args.stack.key_arn is None:
        return [former]
    present = resolve(
        key_use_statements,
        key_arn=args.stack.key_arn,
        decrypt_via=args.decrypts_via,
        encrypt_via=args.encrypts_via,
        dns_suffix=dns_suffix,
    )
    return [present, former]


def function_role(
    name: str, description: str, stack: StackArgs, opts: pulumi.ResourceOptions
) -> aws.iam.Role:
    """Make the role of the function with this name. The function gives it its policy."""
    return aws.iam.Role(
        f"{name}-role",
        description=description,
        assume_role_policy=pulumi.Output.json_dumps(lambda_trust()),
        tags=stack.tags,
        opts=opts,
    )


class PythonFunction(pulumi.ComponentResource):
    """A Lambda function with its own role, log group and alarms.

    Outputs: `arn`, `name`, `log_group_name`. It also has `alarm_arns`, `log_group_arn`, and `service` and
    `memory_megabytes` for the dashboard. The function is created after its role's policy.
    """

    def __init__(
        self, name: str, args: PythonFunctionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:function:PythonFunction", name, None, opts)
        child, invoke = pulumi.ResourceOptions(parent=self), pulumi.InvokeOutputOptions(parent=self)

        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            retention_in_days=args.stack.log_retention_days,
            kms_key_id=args.stack.key_arn,
            tags=args.stack.tags,
            opts=protected(args.stack, self),
        )
        role = args.role or function_role(name, args.description, args.stack, child)
        role_policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=to_json(
                resolve(function_statements, log_group_arn=log_group.arn),
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
            tags=args.stack.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role_policy], hooks=args.hooks),
        )

        alarms = function_alarms(
            function.name, args.timeout_seconds, args.stack, essential_errors=args.essential_errors
        )
        self.alarm_arns = create_alarms(name, alarms, args.stack, self)
        self.memory_megabytes = args.memory_megabytes
        self.service = name
        self.arn = function.arn
        self.name = function.name
        self.log_group_name = log_group.name
        self.log_group_arn = log_group.arn
        self.register_outputs({"arn": self.arn, "name": self.name, "log_group_name": self.log_group_name})
