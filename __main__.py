"""Bill-E: records every upload to a bucket in a ledger, and serves the ledger through an API."""

import pulumi

from components.bill_e import BillE
from components.settings import StackSettings

stack = BillE("bill-e", StackSettings.load())

for name, value in stack.outputs.items():
    pulumi.export(name, value)
