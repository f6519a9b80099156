"""The reader answers GET /receipts and GET /receipts/{fingerprint}."""
