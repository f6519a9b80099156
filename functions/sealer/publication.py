"""Publishes what is committed: tiles and bundles, and then a signed checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.contract.sealing import MESSAGE_TYPE, SIGNING_ALGORITHM
from functions.log import logger
from functions.sealer.growth import grow
from functions.sealer.log_bucket import LogIntegrityError
from functions.sealing.note import Checkpoint, sign
from functions.sealing.tree import leaf_hash

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

    from functions.sealer.growth import LogFile
    from functions.sealer.head import Head
    from functions.sealer.log_bucket import LogBucket, Published
    from functions.sealing.note import VerifierKey
    from functions.sealing.tree import Edge


class Publication:
    """Brings the bucket of a log to the committed tree. Whatever it does can be done again."""

    def __init__(self, log: LogBucket, kms: KMSClient, signing_key: str, verifier_key: VerifierKey) -> None:
        self._log = log
        self._kms = kms
        self._signing_key = signing_key
        self._verifier_key = verifier_key

    def finish(self, head: Head) -> bool:
        """Publish a committed tree, if an earlier run has left that.

        Return whether it is still the newest one: another sealer may have gone on.
        """
        published = self._log.published()
        if published is None or published.checkpoint.size < head.size:
            edge, files = self._unpublished(head)
            self.publish(head, edge, files, published)
            published = self._log.published()
        if published is None or published.checkpoint.size > head.size:
            return False
        if published.checkpoint.root.hex() != head.root:
            raise LogIntegrityError("the checkpoint isn't of the tree that was committed")
        return True

    def edge(self, head: Head) -> Edge:
        """Return the right edge of a tree that is published."""
        edge = self._log.edge(head.size)
        if edge.root().hex() != head.root:
            raise LogIntegrityError("the log isn't the one that was committed")
        return edge

    def last_leaves(self, edge: Edge) -> list[bytes]:
        """Return the leaves of the last bundle at the right edge of a tree, unless that is full."""
        leaves = self._log.last_leaves(edge.size)
        lowest = [tile.data for tile in edge.partial_tiles() if tile.level == 0]
        if b"".join(map(leaf_hash, leaves)) != b"".join(lowest):
            raise LogIntegrityError("the last bundle isn't the one that was committed")
        return leaves

    def publish(self, head: Head, edge: Edge, files: list[LogFile], instead_of: Published | None) -> None:
        """Write the files of a committed tree, sign it, and write its checkpoint unless there is a newer one.

        It is signed last, so that the key never signs a tree that isn't committed.
        """
        if edge.root().hex() != head.root:
            raise LogIntegrityError("the log isn't the one that was committed")
        self._log.write(files)
        note = self._signed(head)
        self._log.keep(head.size, note)
        while not self._log.publish(note, instead_of):
            instead_of = self._log.published()
            if instead_of is not None and instead_of.checkpoint.size >= head.size:
                logger.info("another sealer has published the checkpoint", extra={"size": head.size})
                return

    def _unpublished(self, head: Head) -> tuple[Edge, list[LogFile]]:
        leaves = self._log.staged(head) if head.size else []
        if leaves is None:
            # It has expired, or somebody deleted it. The tiles may be there all the same.
            return self._log.edge(head.size), []
        edge = self._log.edge(head.size - len(leaves))
        return edge, grow(edge, self.last_leaves(edge), leaves)

    def _signed(self, head: Head) -> str:
        key = self._verifier_key
        checkpoint = Checkpoint(origin=key.name, size=head.size, root=bytes.fromhex(head.root))
        return sign(checkpoint.text, key, self._sign)

    def _sign(self, text: bytes) -> bytes:
        return self._kms.sign(
            KeyId=self._signing_key,
            Message=text,
            MessageType=MESSAGE_TYPE,
            SigningAlgorithm=SIGNING_ALGORITHM,
        )["Signature"]
