"""The formats of the transparency log: leaves, the Merkle tree and its tiles, signed notes and proofs."""
