"""S3 and DynamoDB in this process, behind botocore's own HTTP layer.

Signing, serialising and parsing are real; the network isn't there. Unlike the emulator, it has only the calls
that our functions and the baselines of the bench make. In return, it counts them with the capacity units that
AWS charges, and calls can be slow, an index can lag, and objects can be larger than memory.
"""
