"""The ledger in DynamoDB: recording entries, looking them up by fingerprint, and listing them by time."""
