"""The reader answers GET /receipts, GET /receipts/{fingerprint} and POST /receipts/lookup."""
