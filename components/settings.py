"""The stack's settings: the one reader of Pulumi's configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

import pulumi
from pulumi.runtime import config as runtime_config

from components.alarm_topic import email_or_nothing
from components.alarms import RUNBOOK, THRESHOLD_LIMITS, AlarmThresholds
from components.checks import (
    InvalidInputError,
    Problem,
    between,
    issuer_url,
    kms_key,
    matches,
    not_empty,
    one_of,
    origin,
    refuse,
    unique,
)
from components.common import LOG_RETENTION_DAYS
from components.ingest_pipeline import (
    MAX_BATCH_SIZE,
    MAX_BATCH_WINDOW_SECONDS,
    MAX_CONCURRENCY,
    MAX_RECEIPT_MEGABYTES,
    MIN_CONCURRENCY,
    MIN_TIMEOUT_SECONDS,
    PREFIX_ALLOWED,
    PREFIX_PATTERN,
    batch_has_window,
    receipt_fits_timeout,
)
from components.ledger import MAX_SHARDS, MAX_UNITS_PER_SECOND, Throughput
from components.ledger_api import (
    MAX_THROTTLE_BURST,
    MAX_THROTTLE_RATE,
    SCOPE_ALLOWED,
    SCOPE_PATTERN,
    IamAuth,
    JwtAuth,
)
from components.private_bucket import MAX_OBJECT_LOCK_DAYS, OBJECT_LOCK_MODES, ObjectLock
from components.python_function import MAX_TIMEOUT_SECONDS
from components.setting_values import from_argument, from_text
from functions.contract import media_types

NAMESPACE = "bill-e"

AWS_OWNED, CUSTOMER_KEY = "aws-owned", "customer-key"
ALL_ALARMS, ESSENTIAL_ALARMS = "all", "essential"

RUNBOOK_PATTERN = rf"{re.escape(RUNBOOK)}|https://[^\s#]{{1,300}}"
RUNBOOK_ALLOWED = f"{RUNBOOK}, or the https URL of a copy of it, without #"


def setting(default: Any, description: str) -> Any:
    """Declare a setting: its default, and what the Pulumi CLI and other languages' editors say about it."""
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """The settings of a stack, valid together.

    A field is the setting of the same name in camel case: ``batch_size`` is ``bill-e:batchSize``. The
    settings in `Pulumi.yaml` and the arguments of the package for other languages are written from here
    (``make docs``). Raises `InvalidInputError` with every value that isn't allowed.
    """

    api_auth: str = setting(
        "iam", 'How callers of the API authenticate: "iam" (SigV4) or "jwt" (bearer token)'
    )
    jwt_issuer: str = setting("", "With apiAuth jwt, the https URL of the issuer of tokens")
    jwt_audience: tuple[str, ...] = setting((), "With apiAuth jwt, the accepted audiences of a token")
    jwt_read_scope: str = setting(
        "receipts:read", "With apiAuth jwt, the scope that a token needs to read receipts"
    )
    jwt_upload_scope: str = setting(
        "receipts:write", "With apiAuth jwt, the scope that a token needs to ask for an upload form"
    )
    allowed_origins: tuple[str, ...] = setting(
        (), "The origins of web pages that may call the API and upload, such as https://receipts.example.com"
    )
    max_receipt_megabytes: int = setting(20, "The largest receipt that is accepted, in MB (1,048,576 bytes)")
    accepted_types: tuple[str, ...] = setting(
        (
            "application/pdf",
            "image/heic",
            "image/jpeg",
            "image/png",
            "image/tiff",
            "image/webp",
        ),
        "The media types that are accepted, recognised by a file's first bytes",
    )
    upload_prefix: str = setting(
        "", 'Only objects under these folders are receipts, such as "receipts/"; empty for the whole bucket'
    )
    max_concurrency: int = setting(10, "How many processors may run at the same time, 2 to 1,000")
    batch_size: int = setting(10, "How many messages a processor takes at once, 1 to 10,000")
    batch_window_seconds: int = setting(
        1, "How long to wait for a batch to fill, 0 to 300; at least 1 if batchSize is above 10"
    )
    function_timeout_seconds: int = setting(
        60, "How long a processor may work on a batch, 60 to 900; the queue's visibility time-out follows"
    )
    ledger_shards: int = setting(
        4, "Partitions of a month in the ledger's time index, 1 to 64; can be raised later, but never lowered"
    )
    ledger_max_read_units: int = setting(
        4_000,
        "The most read units a second that the ledger scales to, 1 to 40,000; more is throttled",
    )
    ledger_max_write_units: int = setting(
        1_000, "The most write units a second that the ledger scales to, 1 to 40,000"
    )
    encryption: str = setting(
        AWS_OWNED,
        'Whose key encrypts the data: "aws-owned", or "customer-key" (a KMS key of this stack, for a fee)',
    )
    former_key_arns: tuple[str, ...] = setting(
        (),
        "The ARNs of this stack's former KMS keys, which older data still needs for decryption",
    )
    object_lock_days: int = setting(0, "How many days a new upload can't be deleted, 0 (no lock) to 36,500")
    object_lock_mode: str = setting(
        "governance",
        'With objectLockDays: "governance" (a special permission still allows deletion) or "compliance" '
        "(nobody can delete)",
    )
    log_retention_days: int = setting(
        365, "How long logs are kept, in days, as CloudWatch Logs counts them (30, 90, 365, 731 ...)"
    )
    protect_data: bool = setting(
        True, "Guard the uploads, the ledger and the logs against deletion, in AWS and in Pulumi"
    )
    throttle_rate: int = setting(50, "How many requests a second the API accepts, 1 to 10,000")
    throttle_burst: int = setting(100, "How many requests the API accepts at once, 1 to 5,000")
    alarm_email: str = setting(
        "",
        "The e-mail address that gets the alarms, once its owner has confirmed it; empty for none",
    )
    runbook_url: str = setting(
        RUNBOOK,
        "The https URL of the runbook that alarms link to: a copy of docs/operations.md on a web site",
    )
    alarms: str = setting(
        ALL_ALARMS,
        'Which alarms to create: "all", or "essential" (uploads lost or stuck, API failing), which cost less',
    )
    alarm_oldest_message_seconds: int = setting(
        AlarmThresholds.oldest_message_seconds,
        "How many seconds an upload may wait for its entry before the alarm goes off, 60 to 345,600",
    )
    alarm_function_errors: int = setting(
        AlarmThresholds.function_errors, "How many errors of a function in five minutes set off the alarm"
    )
    alarm_function_throttles: int = setting(
        AlarmThresholds.function_throttles,
        "How many throttled calls of a function in five minutes set off the alarm",
    )
    alarm_timeout_percent: int = setting(
        AlarmThresholds.timeout_percent,
        "What percentage of its time-out a function may use before the alarm goes off, 1 to 100",
    )
    alarm_api_errors: int = setting(
        AlarmThresholds.api_errors,
        "How many server errors (5xx) of the API in five minutes set off the alarm",
    )
    alarm_api_latency_milliseconds: int = setting(
        AlarmThresholds.api_latency_milliseconds,
        "How many milliseconds one request in a hundred may take before the alarm goes off, 1 to 30,000",
    )
    alarm_table_throttles: int = setting(
        AlarmThresholds.table_throttles,
        "How many reads or writes that DynamoDB refuses in five minutes set off the alarm",
    )

    def __post_init__(self) -> None:
        refuse("these settings are not allowed", *_problems(self))

    @classmethod
    def load(cls) -> StackSettings:
        """Read the configuration of the stack that is being deployed."""
        config = pulumi.Config(NAMESPACE)
        given = {key: text for key in cls.names() if (text := config.get(key)) is not None}
        return cls._made_of(given, from_text, _unknown_keys(cls.names()))

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> StackSettings:
        """Take the arguments of the package for other languages: camel case names, plain values."""
        unknown = [
            Problem(name=_full(key), value=arguments[key], allowed=_known_keys(cls.names()))
            for key in sorted(set(arguments) - set(cls.names()))
        ]
        given = {key: value for key, value in arguments.items() if key in cls.names() and value is not None}
        return cls._made_of(given, from_argument, unknown)

    @classmethod
    def names(cls) -> dict[str, str]:
        """Return the names of the settings in camel case, each with that of its field."""
        return {camel_case(each.name): each.name for each in fields(cls)}

    @classmethod
    def _made_of(
        cls, given: Mapping[str, Any], read: Callable[[str, Any, object], object], problems: list[Problem]
    ) -> StackSettings:
        """Read every value and check all of them together, so that every problem is told at once."""
        types, names = get_type_hints(cls), cls.names()
        values: dict[str, Any] = {}
        for key, value in given.items():
            try:
                values[names[key]] = read(key, value, types[names[key]])
            except ValueError as error:
                problems.append(Problem(name=_full(key), value=value, allowed=str(error)))
        try:
            settings = cls(**values)
        except InvalidInputError as error:
            problems += error.problems
        refuse("these settings are not allowed", *problems)
        return settings

    @property
    def alarm_thresholds(self) -> AlarmThresholds:
        """What is reached where an alarm goes off."""
        return AlarmThresholds(**{name: getattr(self, f"alarm_{name}") for name in THRESHOLD_LIMITS})

    @property
    def essential_alarms_only(self) -> bool:
        """Whether there are only the alarms that tell of lost or stuck uploads, or of a failing API."""
        return self.alarms == ESSENTIAL_ALARMS

    @property
    def customer_key(self) -> bool:
        """Whether a key of the customer encrypts what is kept."""
        return self.encryption == CUSTOMER_KEY

    @property
    def object_lock(self) -> ObjectLock | None:
        """How uploads are locked, if they are."""
        if not self.object_lock_days:
            return None
        return ObjectLock(mode=self.object_lock_mode, days=self.object_lock_days)

    @property
    def throughput(self) -> Throughput:
        """What the ledger's on-demand capacity may scale to."""
        return Throughput(read_units=self.ledger_max_read_units, write_units=self.ledger_max_write_units)

    @property
    def auth(self) -> IamAuth | JwtAuth:
        """How callers of the API show who they are."""
        if self.api_auth == "iam":
            return IamAuth()
        return JwtAuth(
            issuer=self.jwt_issuer,
            audiences=self.jwt_audience,
            read_scope=self.jwt_read_scope,
            upload_scope=self.jwt_upload_scope,
        )


def _problems(settings: StackSettings) -> list[Problem | None]:
    """Every value that isn't allowed, alone or together with another, under its name in the configuration."""
    s = settings
    return [
        one_of(_full("apiAuth"), s.api_auth, ("iam", "jwt")),
        *(_jwt_problems(s) if s.api_auth == "jwt" else _jwt_leftovers(s)),
        *(origin(_full("allowedOrigins"), site) for site in s.allowed_origins),
        unique(_full("allowedOrigins"), s.allowed_origins),
        between(_full("maxReceiptMegabytes"), s.max_receipt_megabytes, 1, MAX_RECEIPT_MEGABYTES),
        not_empty(_full("acceptedTypes"), s.accepted_types, "at least one media type"),
        unique(_full("acceptedTypes"), s.accepted_types),
        *(
            one_of(_full("acceptedTypes"), media_type, media_types.ACCEPTABLE)
            for media_type in s.accepted_types
        ),
        matches(_full("uploadPrefix"), s.upload_prefix, PREFIX_PATTERN, PREFIX_ALLOWED),
        between(_full("maxConcurrency"), s.max_concurrency, MIN_CONCURRENCY, MAX_CONCURRENCY),
        between(_full("batchSize"), s.batch_size, 1, MAX_BATCH_SIZE),
        between(_full("batchWindowSeconds"), s.batch_window_seconds, 0, MAX_BATCH_WINDOW_SECONDS),
        batch_has_window(_full("batchWindowSeconds"), s.batch_size, s.batch_window_seconds),
        between(
            _full("functionTimeoutSeconds"),
            s.function_timeout_seconds,
            MIN_TIMEOUT_SECONDS,
            MAX_TIMEOUT_SECONDS,
        ),
        receipt_fits_timeout(
            _full("functionTimeoutSeconds"), s.function_timeout_seconds, s.max_receipt_megabytes
        ),
        between(_full("ledgerShards"), s.ledger_shards, 1, MAX_SHARDS),
        between(_full("ledgerMaxReadUnits"), s.ledger_max_read_units, 1, MAX_UNITS_PER_SECOND),
        between(_full("ledgerMaxWriteUnits"), s.ledger_max_write_units, 1, MAX_UNITS_PER_SECOND),
        one_of(_full("encryption"), s.encryption, (AWS_OWNED, CUSTOMER_KEY)),
        *(kms_key(_full("formerKeyArns"), arn) for arn in s.former_key_arns),
        unique(_full("formerKeyArns"), s.former_key_arns),
        between(_full("objectLockDays"), s.object_lock_days, 0, MAX_OBJECT_LOCK_DAYS),
        one_of(_full("objectLockMode"), s.object_lock_mode, OBJECT_LOCK_MODES),
        _lock_has_days(s),
        one_of(_full("logRetentionDays"), s.log_retention_days, LOG_RETENTION_DAYS),
        between(_full("throttleRate"), s.throttle_rate, 1, MAX_THROTTLE_RATE),
        between(_full("throttleBurst"), s.throttle_burst, 1, MAX_THROTTLE_BURST),
        email_or_nothing(_full("alarmEmail"), s.alarm_email),
        matches(_full("runbookUrl"), s.runbook_url, RUNBOOK_PATTERN, RUNBOOK_ALLOWED),
        one_of(_full("alarms"), s.alarms, (ALL_ALARMS, ESSENTIAL_ALARMS)),
        *(
            between(_full(camel_case(f"alarm_{name}")), getattr(s, f"alarm_{name}"), *limits)
            for name, limits in THRESHOLD_LIMITS.items()
        ),
    ]


def _lock_has_days(settings: StackSettings) -> Problem | None:
    """Refuse a stricter lock that isn't there: its days were forgotten."""
    if settings.object_lock_mode != "compliance" or settings.object_lock_days:
        return None
    return Problem(
        name=_full("objectLockDays"),
        value=settings.object_lock_days,
        allowed="at least 1 with objectLockMode compliance",
    )


def _jwt_problems(settings: StackSettings) -> list[Problem | None]:
    return [
        issuer_url(_full("jwtIssuer"), settings.jwt_issuer),
        not_empty(_full("jwtAudience"), settings.jwt_audience, "at least one audience with apiAuth jwt"),
        unique(_full("jwtAudience"), settings.jwt_audience),
        matches(_full("jwtReadScope"), settings.jwt_read_scope, SCOPE_PATTERN, SCOPE_ALLOWED),
        matches(_full("jwtUploadScope"), settings.jwt_upload_scope, SCOPE_PATTERN, SCOPE_ALLOWED),
    ]


def _jwt_leftovers(settings: StackSettings) -> list[Problem | None]:
    """Refuse an issuer that nothing would check tokens of: more likely a forgotten `apiAuth` than a wish."""
    given = {"jwtIssuer": settings.jwt_issuer, "jwtAudience": settings.jwt_audience}
    return [
        Problem(
            name=_full(key),
            value=value,
            allowed=f"only with apiAuth jwt; remove it with `pulumi config rm {key}`",
        )
        for key, value in given.items()
        if value
    ]


def _known_keys(known: Collection[str]) -> str:
    return f"the settings are {', '.join(sorted(known))}"


def _unknown_keys(known: Collection[str]) -> list[Problem]:
    """Refuse keys that no setting has: after a typo, a default would stay in force, and nobody be told."""
    present = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    ours = sorted(key for key in present if key.startswith(f"{NAMESPACE}:"))
    return [
        Problem(name=key, value=present[key], allowed=_known_keys(known))
        for key in ours
        if key.removeprefix(f"{NAMESPACE}:") not in known
    ]


def camel_case(name: str) -> str:
    """Spell a name in Python as Pulumi spells settings and properties: ``batch_size`` as ``batchSize``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _full(key: str) -> str:
    return f"{NAMESPACE}:{key}"
