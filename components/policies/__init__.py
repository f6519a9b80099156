"""IAM and resource policies as pure functions: values in, statements or a document out.

Every statement has a Sid. Only Deny statements have a wildcard in an action. A wildcard in a resource is
explained in the docstring. In the policy of a key, ``*`` is the key itself, as always in KMS.
"""
