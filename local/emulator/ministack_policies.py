"""Adds to what ministack's IAM knows of policies.

- A wildcard stands for a line break, too. Whoever may write to all keys was refused one with a line break.
- A request that names a log stream is about that stream, not about its whole log group (Service
  Authorization Reference, "Amazon CloudWatch Logs").
"""

from __future__ import annotations

import json
import re
from typing import Any

from ministack.core import iam_actions, iam_evaluator


def install() -> None:
    """Wrap ministack's functions that read wildcards, and that find what a request is about."""
    compile_wildcards, resource_of = iam_evaluator._fnmatch_compile, iam_actions.extract_resource_arn

    def compile_for_any_character(pattern: str, ignore_case: bool) -> re.Pattern[str]:
        made: re.Pattern[str] = compile_wildcards(pattern, ignore_case)
        # `$` would leave out a line break at the end.
        return re.compile(f"{made.pattern.removesuffix('$')}\\Z", made.flags | re.DOTALL)

    def resource_or_stream_of(
        service: str, method: str, path: str, headers: Any, body: bytes, *more: Any, **rest: Any
    ) -> str:
        resource: str = resource_of(service, method, path, headers, body, *more, **rest)
        if service == "logs" and ":log-group:" in resource:
            stream = json.loads(body).get("logStreamName")
            return f"{resource}:log-stream:{stream}" if stream else resource
        return resource

    iam_evaluator._fnmatch_compile = compile_for_any_character
    iam_actions.extract_resource_arn = resource_or_stream_of
