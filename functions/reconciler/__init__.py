"""The function that compares the bucket with the ledger by itself, and sends what is missing."""
