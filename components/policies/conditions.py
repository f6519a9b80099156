"""Conditions that statements share."""

from __future__ import annotations


def for_alarms(account_id: str, region: str) -> dict[str, dict[str, str]]:
    """Tell the alarms of this account from what others have CloudWatch do: a condition."""
    return {
        "StringEquals": {"aws:SourceAccount": account_id},
        "ArnLike": {"aws:SourceArn": f"arn:*:cloudwatch:{region}:{account_id}:alarm:*"},
    }
