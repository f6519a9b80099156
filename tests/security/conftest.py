"""The functions on a moto account of their own."""

from tests.functions.conftest import account, aws, ledger_table, offline

__all__ = ["account", "aws", "ledger_table", "offline"]
