"""The provider of the embedded AWS: from a Pulumi resource to the AWS calls that make, change and delete it.

`provider` is its face, for Pulumi's mocks and for the engine's plugin alike. Each module of `services` holds
the resource types of one service (`resource_types`), with the input properties that it applies. Any other
type or property is refused, so that what runs here is what the program says.
"""
