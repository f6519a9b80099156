"""What functions, infrastructure and command line agree on. Imports neither an AWS SDK nor Pulumi."""
