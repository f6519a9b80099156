"""The lock: one item that says which tree is committed. Only a change of it commits another one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from functions.contract import schema
from functions.contract.sealing import LOCK_KEY
from functions.sealing.tree import EMPTY_ROOT

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_ID: Final = {LOCK_KEY: {"S": "head"}}


@dataclass(frozen=True, kw_only=True)
class Head:
    """A committed tree. Times are text; the root is hexadecimal.

    Everything that was recorded before ``through`` is sealed, unless it came to the time index later. The
    last leaves were sealed at ``sealed_at``. The sweeps have come to ``swept_soon`` and to ``swept_late``.
    """

    size: int
    root: str
    through: str
    sealed_at: str
    swept_soon: str
    swept_late: str


def first_head(swept: str) -> Head:
    """Return the empty tree. What was recorded before ``swept`` is sealed, but isn't swept."""
    beginning = f"{schema.FIRST_MONTH}-01T00:00:00.000000Z"
    return Head(
        size=0,
        root=EMPTY_ROOT.hex(),
        through=beginning,
        sealed_at=beginning,
        swept_soon=swept,
        swept_late=swept,
    )


class Lock:
    """The item in the lock's table. Raises botocore's errors."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Head | None:
        """Read the committed tree, strongly consistent; there is none before the first run."""
        found = self._client.get_item(TableName=self._table, Key=_ID, ConsistentRead=True).get("Item")
        if found is None:
            return None
        texts = {name: value["S"] for name, value in found.items() if "S" in value and name != LOCK_KEY}
        return Head(size=int(found["size"]["N"]), **texts)

    def create(self, head: Head) -> bool:
        """Commit the first tree, unless there is one."""
        return self._write(asdict(head), f"attribute_not_exists({LOCK_KEY})", {})

    def swap(self, before: Head, after: Head) -> bool:
        """Commit a tree in place of another, unless another was committed meanwhile."""
        changed = {name: value for name, value in asdict(after).items() if not name.startswith("swept_")}
        return self._write(
            changed,
            "#size = :old_size AND #root = :old_root",
            {":old_size": {"N": str(before.size)}, ":old_root": {"S": before.root}},
        )

    def sweep(self, head: Head, sweep: str, until: str) -> Head:
        """Save how far a sweep has come."""
        self._write({sweep: until}, f"#{sweep} < :{sweep}", {})
        changes: Any = {sweep: until}
        return replace(head, **changes)

    def _write(self, values: dict[str, Any], condition: str, more: dict[str, Any]) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_ID,
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues={
                    **{
                        f":{name}": {"N": str(value)} if isinstance(value, int) else {"S": value}
                        for name, value in values.items()
                    },
                    **more,
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
