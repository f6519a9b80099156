"""The real Pulumi engine on the embedded AWS: its CLI, and the plugins that it starts.

`command` runs the CLI, which `tools` finds or builds. `aws_plugin` is the AWS provider, and `language_host`
the host of Python programs. The engine starts each as a separate process, which `plugin_server` serves.
"""
