"""What people would otherwise deploy: short functions, as in public samples and the libraries' docs."""
