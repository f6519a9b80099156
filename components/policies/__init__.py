"""IAM and resource policies as pure functions: values in, statements or a document out.

Every statement has a Sid. No action holds a wildcard except in the Deny statements, and a resource holds
one only where the docstring says why. A key's policy says ``*`` for the key that it belongs to, as KMS does.
"""

from components.policies.deployer import deployer_policies
from components.policies.documents import Policy, Statement, document, resolve, to_json
from components.policies.keys import (
    KEY_ADMINISTRATION,
    alarm_key_statements,
    former_key_statements,
    key_statements,
    key_use_statements,
)
from components.policies.people import caller_policy, operator_policy
from components.policies.resources import (
    alarm_topic_statements,
    bucket_statements,
    customer_key_statements,
    dead_letter_queue_statements,
    log_delivery_statements,
    queue_statements,
)
from components.policies.roles import (
    function_statements,
    lambda_trust,
    processor_statements,
    reader_statements,
    uploads_statements,
)

__all__ = [
    "KEY_ADMINISTRATION",
    "Policy",
    "Statement",
    "alarm_key_statements",
    "alarm_topic_statements",
    "bucket_statements",
    "caller_policy",
    "customer_key_statements",
    "dead_letter_queue_statements",
    "deployer_policies",
    "document",
    "former_key_statements",
    "function_statements",
    "key_statements",
    "key_use_statements",
    "lambda_trust",
    "log_delivery_statements",
    "operator_policy",
    "processor_statements",
    "queue_statements",
    "reader_statements",
    "resolve",
    "to_json",
    "uploads_statements",
]
