"""The reader answers what is asked about the ledger, and about the log that seals it."""
