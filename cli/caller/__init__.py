"""What callers do: upload, and read the ledger through its API."""
