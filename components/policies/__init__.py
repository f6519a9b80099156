"""IAM and resource policies as pure functions, which take values and return statements or a document.

Every statement has a Sid. Only Deny statements have a wildcard in an action. If a resource has a wildcard,
the docstring says why. In the policy of a key, ``*`` means the key itself, as always in KMS.
"""
