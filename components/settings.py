"""The settings of a stack, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from pulumi.runtime import config

from components.alarms import AlarmSettings
from components.encryption_key import EncryptionSettings
from components.ingest_pipeline import IngestSettings
from components.ledger import LedgerSettings
from components.ledger_api import JWT, ApiSettings
from components.private_bucket import ObjectLockSettings
from components.reconciler import ReconcilerSettings
from components.stack_args import DataSettings, StackArgs
from components.validation import SETTINGS, Checked, InvalidInputError, InvalidValue, refuse

NAMESPACE = "bill-e"

REMOVED = {
    "alarmFunctionThrottles": f"at {StackArgs.alarm_function_throttles} throttled call in five minutes",
    "alarmTimeoutPercent": f"when a function uses {StackArgs.alarm_timeout_percent} % of its time-out",
}
"""Settings that only release 0.1 had, and when their alarms go off now."""


@dataclass(frozen=True, kw_only=True)
class StackSettings(
    AlarmSettings,
    EncryptionSettings,
    ObjectLockSettings,
    DataSettings,
    LedgerSettings,
    ReconcilerSettings,
    IngestSettings,
    ApiSettings,
):
    """The settings of a stack: those of its components together. The fields of the last class come first.

    A field is the setting of the same name in camel case: ``batch_size`` is ``bill-e:batchSize``. Raises
    `InvalidInputError` with every invalid value.
    """

    def __post_init__(self) -> None:
        refuse(SETTINGS, (replace(each, name=_full(camel_case(each.name))) for each in self.invalid_values()))

    def invalid_values(self) -> Iterator[InvalidValue]:
        """Refuse settings for jwt without `apiAuth` jwt, which somebody probably forgot."""
        yield from super().invalid_values()
        for name in ("jwt_issuer", "jwt_audience"):
            if self.api_auth != JWT and (value := getattr(self, name)):
                remove = f"remove it with `pulumi config rm {camel_case(name)}`"
                yield InvalidValue(name=name, value=value, allowed=f"only with apiAuth jwt; {remove}")

    @classmethod
    def load(cls) -> StackSettings:
        """Read the configuration of the stack that is being deployed."""
        ours = f"{NAMESPACE}:"
        present = {**config.get_config_env(), **config.CONFIG.get()}
        keys = {*cls.names(), *(key.removeprefix(ours) for key in present if key.startswith(ours))}
        texts = {key: text for key in keys if (text := config.get_config(ours + key)) is not None}
        return cls._read(texts, _from_text)

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> StackSettings:
        """Take the arguments of the package for other languages: camel case names, values with types."""
        return cls._read(
            {key: value for key, value in arguments.items() if value is not None or key not in cls.names()},
            _from_argument,
        )

    @classmethod
    def names(cls) -> dict[str, str]:
        """Return the names of the settings in camel case, each with that of its field."""
        return {camel_case(each.name): each.name for each in fields(cls)}

    @classmethod
    def _read(cls, given: Mapping[str, Any], read: Callable[[str, Any, object], object]) -> StackSettings:
        """Read every value and check all of them, so that all invalid values are reported at once."""
        types, names = get_type_hints(cls), cls.names()
        values: dict[str, Any] = {}
        invalid: list[InvalidValue] = []
        for key, value in sorted(given.items()):
            if key not in names:
                invalid.append(InvalidValue(name=_full(key), value=value, allowed=_instead_of(key, names)))
                continue
            try:
                values[names[key]] = read(key, value, types[names[key]])
            except ValueError as error:
                invalid.append(InvalidValue(name=_full(key), value=value, allowed=str(error)))
        try:
            settings = cls(**values)
        except InvalidInputError as error:
            invalid += error.values
        refuse(SETTINGS, invalid)
        return settings

    def of(self, args: type[Checked]) -> dict[str, Any]:
        """Return the settings that are arguments of a component."""
        ours = self.names().values()
        return {each.name: getattr(self, each.name) for each in fields(args) if each.name in ours}


def camel_case(name: str) -> str:
    """Write a Python name as Pulumi writes settings and properties: ``batch_size`` as ``batchSize``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _full(key: str) -> str:
    return f"{NAMESPACE}:{key}"


def _instead_of(key: str, names: Mapping[str, str]) -> str:
    """Say what is allowed for a key that isn't a setting. After a typo, the default would silently apply."""
    if key in REMOVED:
        return (
            f"nothing, since it is no longer a setting: the alarm goes off {REMOVED[key]}; "
            f"remove it with `pulumi config rm {key}`"
        )
    return f"the settings are {', '.join(sorted(names))}"


def _from_text(key: str, text: str, wanted: object) -> object:
    """Read a value of the stack's configuration, which is always text. ValueError says what is allowed."""
    if wanted is str:
        return text
    if wanted is bool:
        return _fitting(text, "true or false", text in {"true", "false"}) == "true"
    if wanted is int:
        return int(_fitting(text, "a whole number", text.isascii() and text.removeprefix("-").isdecimal()))
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    # The Pulumi CLI can't set a whole list, and without --type it reads digits as a number.
    hint = f"a list of strings, set one by one: pulumi config set --type string --path '{key}[0]' VALUE"
    return tuple(_fitting(value, hint, _is_list_of_texts(value)))


def _from_argument(_key: str, value: Any, wanted: object) -> object:
    """Take a value as a program gives it. ValueError says which type it must have."""
    if wanted is bool:
        return _fitting(value, "true or false", isinstance(value, bool))
    if wanted is str:
        return _fitting(value, "a string", isinstance(value, str))
    if wanted is int:
        # The engine has only one type of number, so a whole number can arrive as a float.
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return int(_fitting(value, "a whole number", number and float(value).is_integer()))
    return tuple(_fitting(value, "a list of strings", _is_list_of_texts(value)))


def _fitting(value: Any, allowed: str, fits: bool) -> Any:
    if not fits:
        raise ValueError(allowed)
    return value


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
