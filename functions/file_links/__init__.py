"""The file-links function answers GET /receipts/{fingerprint}/file with a link to one object version."""
