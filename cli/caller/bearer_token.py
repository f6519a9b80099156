"""The bearer token of a caller, and how to get another one when it has expired."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from typing import TYPE_CHECKING

from cli.errors import SignInError, UsageError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest

TOKEN_COMMAND = "BILL_E_TOKEN_COMMAND"  # noqa: S105 - the name of a variable
COMMAND_TIMEOUT_SECONDS = 120

TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1."""


class BearerToken:
    """A token, or the command that prints one. Threads may share it."""

    def __init__(self, token: str | None, command: str | None) -> None:
        """Use `token`, or what `command` prints if there is none, or if it is refused.

        Raise UsageError if there is neither, or if the token can't be one. The command isn't run yet.
        """
        if not token and not command:
            raise UsageError(
                "the stack's API takes a bearer token: give --token TOKEN, or set BILL_E_TOKEN or "
                f"{TOKEN_COMMAND}"
            )
        if token and not TOKEN.fullmatch(token):
            raise UsageError(
                "the bearer token has characters that a token can't have: was it cut off or quoted?"
            )
        self._token = token
        self._command = command
        self._lock = threading.Lock()

    def sign(self, request: AWSRequest) -> None:
        """Send the token as RFC 6750 says."""
        with self._lock:
            self._token = self._token or self._printed()
            request.headers["Authorization"] = f"Bearer {self._token}"

    def renew(self, refused: str) -> bool:
        """Get a token other than the one in an `Authorization` that was refused; say whether there is one."""
        with self._lock:
            if refused == f"Bearer {self._token}" and self._command:
                self._token = self._printed()
            return refused != f"Bearer {self._token}"

    def _printed(self) -> str:
        try:
            ran = subprocess.run(
                shlex.split(self._command or ""),
                stdout=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=COMMAND_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, ValueError) as error:
            raise SignInError(f"{TOKEN_COMMAND} cannot be run: {error}") from error
        except subprocess.TimeoutExpired as expired:
            raise SignInError(f"{TOKEN_COMMAND} did not end within {COMMAND_TIMEOUT_SECONDS} s") from expired
        token = ran.stdout.strip()
        if ran.returncode != 0:
            raise SignInError(f"{TOKEN_COMMAND} ended with exit code {ran.returncode}")
        if not TOKEN.fullmatch(token):
            raise SignInError(f"{TOKEN_COMMAND} printed something other than one token")
        return token
