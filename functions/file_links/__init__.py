"""The file-links function answers GET /files/{fingerprint} with a link to one object version."""
