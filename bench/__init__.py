"""Benchmarks of Bill-E and of what people would otherwise deploy: ``python -m bench``."""
