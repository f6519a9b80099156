"""The subcommands of `bill-e`, one in each module."""
