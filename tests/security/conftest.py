"""The functions on moto, as in the tests of the functions."""

from tests.functions.conftest import account, aws, ledger_table, offline

__all__ = ["account", "aws", "ledger_table", "offline"]
