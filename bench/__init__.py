"""Bill-E measured beside what people would otherwise deploy, by one command: ``python -m bench``."""
