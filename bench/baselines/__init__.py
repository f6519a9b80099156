"""What people would otherwise deploy: small code, as public samples and the libraries' docs show it."""
