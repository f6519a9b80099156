"""AWS sessions and clients for a stack on AWS or on an embedded AWS."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config

from cli.errors import NO_CREDENTIALS, BillEError, explained

if TYPE_CHECKING:
    from botocore.credentials import Credentials

    from cli.stack import StackAccess, StackKey


def session_for(access: StackAccess, key: StackKey | None) -> boto3.Session:
    """Make a session with `key`; without one, with the credentials that the SDK finds."""
    with explained("AWS configuration"):
        return boto3.Session(
            aws_access_key_id=key.id if key else None,
            aws_secret_access_key=key.secret if key else None,
            region_name=access.region,
        )


def credentials_of(session: boto3.Session) -> Credentials:
    """Return the credentials of a session; raise BillEError if it has none."""
    with explained("AWS credentials"):
        credentials = session.get_credentials()
    if credentials is None:
        raise BillEError(NO_CREDENTIALS)
    return credentials


def client(
    session: boto3.Session,
    service: Literal["s3", "dynamodb", "sqs", "sts", "logs", "cloudwatch"],
    access: StackAccess,
    *,
    connections: int = 10,
) -> Any:
    """Make a client of a service, for up to `connections` calls at the same time."""
    make: Any = session.client
    return make(
        service,
        endpoint_url=access.endpoint_url,
        verify=str(access.ca_bundle) if access.ca_bundle else None,
        config=Config(
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": 5},
            # S3 verifies the SHA-256 header, which is signed. Hashing the body once more for the signature
            # would read every file a third time.
            s3={"payload_signing_enabled": False},
            user_agent_extra=f"bill-e/{version('bill-e')}",
        ),
    )
