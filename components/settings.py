"""The stack's settings: the one reader of Pulumi's configuration."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
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
    matches,
    not_empty,
    one_of,
    origin,
    refuse,
    unique,
)
from components.common import LOG_RETENTION_DAYS
from components.ingest_pipeline import (
    ACCEPTABLE_TYPES,
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

NAMESPACE = "bill-e"

AWS_OWNED, CUSTOMER_KEY = "aws-owned", "customer-key"

RUNBOOK_PATTERN = rf"{re.escape(RUNBOOK)}|https://[^\s#]{{1,300}}"
RUNBOOK_ALLOWED = f"{RUNBOOK}, or the https URL of a copy of it, without #"


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """The settings of a stack, valid together.

    A field is the setting of the same name in camel case: ``batch_size`` is ``bill-e:batchSize``.
    `Pulumi.yaml` describes each, and repeats its default for the Pulumi CLI. Raises `InvalidInputError` with
    every value that isn't allowed.
    """

    api_auth: str = "iam"
    jwt_issuer: str = ""
    jwt_audience: tuple[str, ...] = ()
    jwt_read_scope: str = "receipts:read"
    jwt_upload_scope: str = "receipts:write"
    allowed_origins: tuple[str, ...] = ()
    max_receipt_megabytes: int = 20
    accepted_types: tuple[str, ...] = (
        "application/pdf",
        "image/heic",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/webp",
    )
    upload_prefix: str = ""
    max_concurrency: int = 10
    batch_size: int = 10
    batch_window_seconds: int = 1
    function_timeout_seconds: int = 60
    ledger_shards: int = 4
    ledger_max_read_units: int = 4_000
    ledger_max_write_units: int = 1_000
    encryption: str = AWS_OWNED
    object_lock_days: int = 0
    object_lock_mode: str = "governance"
    log_retention_days: int = 365
    protect_data: bool = True
    throttle_rate: int = 50
    throttle_burst: int = 100
    alarm_email: str = ""
    runbook_url: str = RUNBOOK
    alarm_oldest_message_seconds: int = AlarmThresholds.oldest_message_seconds
    alarm_function_errors: int = AlarmThresholds.function_errors
    alarm_function_throttles: int = AlarmThresholds.function_throttles
    alarm_timeout_percent: int = AlarmThresholds.timeout_percent
    alarm_api_errors: int = AlarmThresholds.api_errors
    alarm_api_latency_milliseconds: int = AlarmThresholds.api_latency_milliseconds
    alarm_table_throttles: int = AlarmThresholds.table_throttles

    def __post_init__(self) -> None:
        refuse("these settings are not allowed", *_problems(self))

    @classmethod
    def load(cls) -> StackSettings:
        """Read the configuration of the stack that is being deployed."""
        config, types = pulumi.Config(NAMESPACE), get_type_hints(cls)
        keys = {_camel_case(field.name): field.name for field in fields(cls)}
        values: dict[str, Any] = {}
        problems = _unknown_keys(set(keys))
        for key, name in keys.items():
            text = config.get(key)
            if text is None:
                continue
            try:
                values[name] = _parse(text, types[name])
            except ValueError as error:
                problems.append(Problem(name=_full(key), value=text, allowed=str(error)))
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
        *(one_of(_full("acceptedTypes"), media_type, ACCEPTABLE_TYPES) for media_type in s.accepted_types),
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
        between(_full("objectLockDays"), s.object_lock_days, 0, MAX_OBJECT_LOCK_DAYS),
        one_of(_full("objectLockMode"), s.object_lock_mode, OBJECT_LOCK_MODES),
        _lock_has_days(s),
        one_of(_full("logRetentionDays"), s.log_retention_days, LOG_RETENTION_DAYS),
        between(_full("throttleRate"), s.throttle_rate, 1, MAX_THROTTLE_RATE),
        between(_full("throttleBurst"), s.throttle_burst, 1, MAX_THROTTLE_BURST),
        email_or_nothing(_full("alarmEmail"), s.alarm_email),
        matches(_full("runbookUrl"), s.runbook_url, RUNBOOK_PATTERN, RUNBOOK_ALLOWED),
        *(
            between(_full(_camel_case(f"alarm_{name}")), getattr(s, f"alarm_{name}"), *limits)
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
        Problem(name=_full(key), value=value, allowed="only with apiAuth jwt")
        for key, value in given.items()
        if value
    ]


def _unknown_keys(known: set[str]) -> list[Problem]:
    """Refuse keys that no setting has: after a typo, a default would stay in force, and nobody be told."""
    present = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    ours = sorted(key for key in present if key.startswith(f"{NAMESPACE}:"))
    return [
        Problem(name=key, value=present[key], allowed=f"the settings are {', '.join(sorted(known))}")
        for key in ours
        if key.removeprefix(f"{NAMESPACE}:") not in known
    ]


def _parse(text: str, wanted: object) -> object:
    """Read a configuration value, which Pulumi always hands over as text; ValueError says what is allowed."""
    if wanted is str:
        return text
    if wanted is bool:
        if text not in {"true", "false"}:
            raise ValueError("true or false")
        return text == "true"
    if wanted is int:
        if not text.removeprefix("-").isdecimal() or not text.isascii():
            raise ValueError("a whole number")
        return int(text)
    return _parse_list(text)


def _parse_list(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('a list of texts, such as ["a", "b"]')
    return tuple(value)


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _full(key: str) -> str:
    return f"{NAMESPACE}:{key}"
