"""Bill-E's infrastructure as reusable components. Of `functions`, it imports only the contract."""
