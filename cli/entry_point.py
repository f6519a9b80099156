"""Where `bill-e` starts: before its modules are loaded, which takes long enough to be interrupted."""

from __future__ import annotations

INTERRUPTED = 130
"""What a shell reports for a command that SIGINT ended."""


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from cli.main import main as run
    except KeyboardInterrupt:
        return INTERRUPTED
    return run()
