"""Bill-E's infrastructure as reusable components. From `functions`, they only import the contract."""
