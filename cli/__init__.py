"""The `bill-e` command: uploads receipts to a stack and reads its ledger, from the stack's outputs alone."""
