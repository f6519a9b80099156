"""Which object version backs a receipt: it is in the bucket, so that the receipt can still be shown.

That is the receipt's own version, until somebody deletes it for good. Then it is the version of a duplicate,
which a note in the ledger names. A note only says where to look first: S3 is asked every time.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.contract import schema
from functions.ledger.items import readable_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

    from functions.contract.entry import Entry, ObjectVersion, UploadLocation


class LiveVersions:
    """Tells whether object versions are in S3. Safe to use from several threads, like boto3 clients."""

    def __init__(self, client: S3Client, location: UploadLocation) -> None:
        self._client = client
        self._location = location

    def has(self, version: ObjectVersion) -> bool:
        """Ask S3 with one ``HeadObject``. Only its answer 404 means no; raise botocore's other errors.

        A version below a delete marker is there. One in another place, where the stack had its receipts
        before, is taken to be there, since the functions may not look.
        """
        if not self._location.holds(version):
            return True
        try:
            self._client.head_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)
        except ClientError as error:
            # The answer to a HEAD has no body, so botocore knows no other code.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True


class Backing:
    """The object versions that back the receipts of one ledger table. Raises botocore's errors.

    ``is_live`` asks S3 about a version. If neither the receipt's version nor the noted one is there, up to
    ``most_duplicates`` of its duplicates are looked at. Their keys put them in a random order.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        is_live: Callable[[ObjectVersion], bool],
        most_duplicates: int,
    ) -> None:
        self._client = client
        self._table = table
        self._is_live = is_live
        self._most_duplicates = most_duplicates

    def has(self, receipt: Entry) -> bool:
        """Say whether any object version with a receipt's bytes is left."""
        return self.version_of(receipt) is not None

    def version_of(self, receipt: Entry) -> ObjectVersion | None:
        """Return the object version that backs a receipt: its own, or that of a duplicate, if one is left."""
        own = receipt.upload.version
        if self._is_live(own):
            return own
        noted = self._noted(receipt)
        if noted is not None and self._is_live(noted):
            return noted
        return self._live_duplicate(receipt, noted)

    def passes_to(self, upload: ObjectVersion, receipt: Entry, before_call: Callable[[], None]) -> bool:
        """Say whether an upload of a receipt's bytes is all that backs it from now on, and note that first.

        A condition of the write chooses one of several such uploads. The same upload may ask again, until its
        entry is written. ``before_call`` is called before each call or two, and may raise to give up.
        """
        before_call()
        if self._is_live(receipt.upload.version):
            return False
        before_call()
        noted = self._noted(receipt)
        while noted != upload:
            before_call()
            if noted is not None and self._is_live(noted):
                return False
            found = self._live_duplicate(receipt, noted, before_call)
            before_call()
            noted = self._note(receipt, found or upload, instead_of=noted)
            if noted == found:
                return False
        return True

    def _noted(self, receipt: Entry) -> ObjectVersion | None:
        key = schema.backing_key(schema.partition_key(receipt))
        answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return schema.version_of(answer["Item"]) if "Item" in answer else None

    def _note(
        self, receipt: Entry, version: ObjectVersion, *, instead_of: ObjectVersion | None
    ) -> ObjectVersion:
        """Note a version unless the note has changed meanwhile, and return the noted version."""
        condition = schema.IF_NEW if instead_of is None else schema.if_noted(instead_of)
        item = schema.backing_note(schema.partition_key(receipt), version)
        try:
            self._client.put_item(TableName=self._table, Item=item, **condition)
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            standing: Any = refused.response
            return schema.version_of(standing["Item"])
        return version

    def _live_duplicate(
        self,
        receipt: Entry,
        noted: ObjectVersion | None,
        before_call: Callable[[], None] = lambda: None,
    ) -> ObjectVersion | None:
        """Return the first duplicate's version that is in S3, apart from the noted one, which is gone."""
        before_call()
        for version in self._duplicates(receipt):
            if version != noted:
                before_call()
                if self._is_live(version):
                    return version
        return None

    def _duplicates(self, receipt: Entry) -> Iterator[ObjectVersion]:
        """Return the versions of a receipt's duplicates, with one strongly consistent query."""
        first, last = schema.DUPLICATE_KEYS
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="#fingerprint = :fingerprint AND #entry BETWEEN :first AND :last",
            ExpressionAttributeNames={"#fingerprint": schema.FINGERPRINT, "#entry": schema.ENTRY},
            ExpressionAttributeValues={
                ":fingerprint": {"S": schema.partition_key(receipt)},
                ":first": {"S": first},
                ":last": {"S": last},
            },
            ConsistentRead=True,
            Limit=self._most_duplicates,
        )
        return (duplicate.upload.version for duplicate in readable_entries(answer["Items"]))
