"""Property values as the engine sends them."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from local.property_values import (
    ARCHIVE,
    ASSET,
    CONFIDENTIAL,
    OUTPUT,
    SIGNATURE,
    UNKNOWN,
    HashOnly,
    changed,
    from_struct,
    is_same,
    paths_to,
    plain,
    to_struct,
)


def marked(kind: str, **content: Any) -> dict[str, Any]:
    return {SIGNATURE: kind, **content}


FILE = marked(ASSET, hash="a1", path="functions/log.py")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ({"size": 5.0, "share": 0.5}, {"size": 5, "share": 0.5}),
        (marked(CONFIDENTIAL, value=marked(CONFIDENTIAL, value="s")), "s"),
        ([marked(CONFIDENTIAL, value=1.0)], [1]),
        (marked(OUTPUT, value="v"), "v"),
        (marked(OUTPUT), UNKNOWN),
        ({"deep": [{"id": UNKNOWN}]}, {"deep": [{"id": UNKNOWN}]}),
        (marked(ASSET, hash="a1"), HashOnly("a1")),
        (marked(ARCHIVE, hash="b2"), HashOnly("b2")),
    ],
)
def test_marks_are_taken_away(sent: Any, meant: Any) -> None:
    assert plain(sent) == meant


def test_assets_and_archives_become_pulumis_own() -> None:
    archive = plain(
        marked(ARCHIVE, hash="b2", assets={"a.py": FILE, "b.py": marked(ASSET, hash="a2", text="x")})
    )

    assert isinstance(archive, pulumi.AssetArchive)
    file, text = archive.assets["a.py"], archive.assets["b.py"]
    assert isinstance(file, pulumi.FileAsset)
    assert file.path == "functions/log.py"
    assert isinstance(text, pulumi.StringAsset)
    assert text.text == "x"
    assert isinstance(plain(marked(ARCHIVE, hash="b3", path="layer.zip")), pulumi.FileArchive)


def test_mark_without_a_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="5cf8f73096256a8f31e491e813e4eb8e"):
        plain(marked("5cf8f73096256a8f31e491e813e4eb8e"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (FILE, marked(ASSET, hash="a1", path="elsewhere/log.py"), True),
        (FILE, marked(ASSET, hash="a2", path="functions/log.py"), False),
        (marked(CONFIDENTIAL, value="s"), "s", True),
        ({"a": 1.0, "b": None}, {"a": 1}, True),
        ([1, 2], [2, 1], False),
        (UNKNOWN, "known", False),
    ],
)
def test_values_are_compared_by_what_they_mean(one: Any, other: Any, same: bool) -> None:
    assert is_same(one, other) is same


def test_changed_properties_are_named_and_the_engines_own_are_not() -> None:
    old = {"kept": 1, "gone": 1, "other": 1, "__internal": {}}
    new = {"kept": 1.0, "new": 1, "other": 2, "__internal": {"x": 1}}

    assert changed(old, new) == ["gone", "new", "other"]


def test_unknown_values_are_found_at_any_depth() -> None:
    assert list(paths_to(UNKNOWN, {"a": [{"b": UNKNOWN}, 1], "c": UNKNOWN})) == ["a[0].b", "c"]


def test_properties_survive_a_message_and_those_without_a_value_are_left_out() -> None:
    properties = {"text": "t", "list": [1.0, {"deep": True}], "none": None, "code": FILE}

    assert from_struct(to_struct(properties)) == {k: v for k, v in properties.items() if v is not None}
