"""What an auditor does with an exported package, offline: reading it, and verifying it against the log."""
