"""The ledger: its model (entry), and the only code that knows its keys and its index (store, listing)."""
