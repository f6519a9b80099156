"""Comparing a bucket with its ledger: what the reconciler and the command line have in common."""
