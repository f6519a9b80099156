"""S3 and DynamoDB in this process, behind botocore's own HTTP layer.

Every contestant's calls go through botocore up to the moment of sending: signing, serialising and parsing are
real, the network is not. Each call takes the same given delay, and is counted with the capacity units that
AWS's rules charge for it.
"""
