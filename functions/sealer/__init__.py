"""The function that appends the ledger's entries to the log, and signs it."""
