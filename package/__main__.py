"""The package for other languages, which serves the component BillE to the Pulumi engine."""

import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult, Provider, main

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from components.bill_e import BillE  # noqa: E402 (found by the line above)
from components.settings import NAMESPACE, StackSettings, camel_case  # noqa: E402
from components.validation import InvalidInputError  # noqa: E402


class Package(Provider):
    """Makes stacks, with the arguments and outputs that `schema.json` describes."""

    def __init__(self) -> None:
        super().__init__(BillE.VERSION, (FOLDER / "schema.json").read_text(encoding="utf-8"))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Any,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make a stack.

        Raises:
            InputPropertiesError: arguments are not allowed; it names all of them.

        """
        if resource_type != BillE.TYPE:
            raise InputPropertiesError(f"{resource_type} is not in this package; it has {BillE.TYPE}")
        stack = BillE(name, _settings(inputs), options)
        return ConstructResult(stack.urn, {camel_case(key): value for key, value in stack.outputs.items()})


def _settings(inputs: Any) -> StackSettings:
    try:
        return StackSettings.from_arguments(inputs)
    except InvalidInputError as error:
        raise InputPropertiesError(
            "these arguments are not allowed",
            [
                {"property_path": invalid.name.removeprefix(f"{NAMESPACE}:"), "reason": invalid.reason}
                for invalid in error.values
            ],
        ) from error


if __name__ == "__main__":
    main(Package(), sys.argv[1:])
