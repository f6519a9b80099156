"""The real Pulumi engine on the embedded AWS: its CLI, and the plugins that it starts.

`command` runs the CLI, `tools` finds or builds it. `aws_plugin` is the AWS provider and `language_host` the
host of Python programs; each is a process that the engine starts, and both stand on `plugin`.
"""
