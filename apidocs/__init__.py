"""What callers of the API build on, written from the code: its OpenAPI document and the policy they need."""
