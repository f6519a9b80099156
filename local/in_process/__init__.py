"""S3 and DynamoDB in this process, behind botocore's own HTTP layer.

Signing, serialising and parsing are real; only the network is missing. Unlike the emulator, this only has the
calls that our functions and the baselines of the bench make. In return, it counts the calls and the capacity
units that AWS charges; calls can be slow, an index can lag, and objects can be larger than memory.
"""
