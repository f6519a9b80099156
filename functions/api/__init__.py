"""What the HTTP functions share: problems (errors), the answers that tell them, entries as JSON."""
