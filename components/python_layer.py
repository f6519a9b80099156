"""PythonLayer: the libraries that the processor imports beyond the runtime, as one Lambda layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.common import plain_name
from components.layer_archive import build_layer
from components.python_function import ARCHITECTURE, FUNCTIONS, RUNTIME


@dataclass(frozen=True, kw_only=True)
class PythonLayerArgs:
    """What a layer is made of: a list of pinned and hashed requirements, and the folder to build in.

    `instance` is the stack's, as `CommonArgs` has it.
    """

    requirements: Path = FUNCTIONS / "requirements.txt"
    build_folder: Path = FUNCTIONS.parent / ".build"
    instance: pulumi.Input[str] = field(default_factory=pulumi.get_stack)


class PythonLayer(pulumi.ComponentResource):
    """A Lambda layer built from a list of requirements, when that list has changed.

    Outputs: `arn`, with the version.
    """

    def __init__(self, name: str, args: PythonLayerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:function:PythonLayer", name, None, opts)
        archive = build_layer(args.requirements, args.build_folder)
        layer = aws.lambda_.LayerVersion(
            f"{name}-layer",
            # A name that can't be left to Pulumi. Its versions are numbered, so that they don't clash.
            layer_name=pulumi.Output.concat(args.instance, "-", name).apply(plain_name),
            description="Libraries of the processor, from functions/requirements.txt",
            code=pulumi.FileArchive(str(archive)),
            compatible_architectures=[ARCHITECTURE],
            compatible_runtimes=[RUNTIME],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = layer.arn
        self.register_outputs({"arn": self.arn})
