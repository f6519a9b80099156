"""What runs in Lambda. Nothing here imports pulumi."""
