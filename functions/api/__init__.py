"""What the HTTP functions share: problems (errors), the resolver that answers with them, entries as JSON."""
