"""Property values as Pulumi sends them: JSON, with marks for what JSON cannot express.

Secrets, outputs, assets and archives are objects with a signature, and a value that isn't known yet is one
particular text (Pulumi's ``sdk/go/common/resource``, "property values").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from google.protobuf import json_format, struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
CONFIDENTIAL = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Properties = dict[str, Any]


@dataclass(frozen=True)
class HashOnly:
    """An asset or an archive of an earlier deployment, of which the engine keeps only the hash."""

    hash: str


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Read the properties in a message, marks included."""
    properties: Properties = json_format.MessageToDict(struct)
    return properties


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Write properties, marks included, into a message; those without a value are left out."""
    struct = struct_pb2.Struct()
    json_format.ParseDict({name: item for name, item in properties.items() if item is not None}, struct)
    return struct


def public(properties: Mapping[str, Any]) -> Properties:
    """Leave out the engine's own properties, such as ``__internal``."""
    return {name: value for name, value in properties.items() if not name.startswith("__")}


def plain(value: Any) -> Any:
    """Return a value without its marks: secrets opened, assets as Pulumi's own objects, whole floats as int.

    What isn't known yet, in a preview, stays `UNKNOWN`. The wire format has no integers.
    """
    if isinstance(value, Mapping):
        match value.get(SIGNATURE):
            case None:
                return {name: plain(item) for name, item in value.items()}
            case kind if kind == CONFIDENTIAL:
                return plain(value["value"])
            case kind if kind == OUTPUT:
                return plain(value.get("value", UNKNOWN))
            case kind if kind == ASSET:
                return _asset(value)
            case kind if kind == ARCHIVE:
                return _archive(value)
            case kind:
                raise ValueError(f"a value with the signature {kind}, which has no meaning here")
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values mean the same. Of an asset, only its content counts, not its path."""
    return bool(_comparable(one) == _comparable(other))


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the names of the properties that differ, sorted. What isn't known yet differs."""
    names = public({**old, **new})
    return sorted(name for name in names if not is_same(old.get(name), new.get(name)))


def paths_to(wanted: object, value: Any, path: str = "") -> Iterator[str]:
    """Yield where in a plain value ``wanted`` is, such as ``rules[0].id``; ``""`` is the value itself."""
    if value == wanted:
        yield path
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from paths_to(wanted, item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths_to(wanted, item, f"{path}[{index}]")


def _asset(value: Mapping[str, Any]) -> pulumi.Asset | HashOnly:
    if value.get("path"):
        return pulumi.FileAsset(value["path"])
    if value.get("text"):
        return pulumi.StringAsset(value["text"])
    return HashOnly(value["hash"])


def _archive(value: Mapping[str, Any]) -> pulumi.Archive | HashOnly:
    if value.get("path"):
        return pulumi.FileArchive(value["path"])
    if value.get("assets"):
        return pulumi.AssetArchive({name: plain(item) for name, item in value["assets"].items()})
    return HashOnly(value["hash"])


def _comparable(value: Any) -> Any:
    if isinstance(value, Mapping):
        kind = value.get(SIGNATURE)
        if kind in (CONFIDENTIAL, OUTPUT):
            return _comparable(value.get("value", UNKNOWN))
        if kind in (ASSET, ARCHIVE) and value.get("hash"):
            return (kind, value["hash"])
        return {name: _comparable(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value
