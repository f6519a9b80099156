"""What the HTTP functions share: their answers, and errors as problems."""
