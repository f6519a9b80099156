"""What `python -m local` does, besides the Pulumi CLI (`local.engine`)."""
