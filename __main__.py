"""Bill-E: receipts in, one ledger entry for each upload, and an API over the ledger."""

import pulumi

import components as bill_e

stack = bill_e.BillE("bill-e", bill_e.StackSettings.load())

for name, value in stack.outputs.items():
    pulumi.export(name, value)
