"""What operators and administrators do with a stack's bucket, queues and ledger table, without its API."""
