"""The reader: GET /receipts and GET /receipts/{fingerprint}."""
