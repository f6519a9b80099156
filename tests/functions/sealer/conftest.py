from __future__ import annotations

import pytest

from tests.functions.sealer.sealed_ledger import SealedLedger


@pytest.fixture
def ledger() -> SealedLedger:
    return SealedLedger()
