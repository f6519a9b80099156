"""The AWS emulator, ministack: how it is started, and what is added to it.

`process` starts and stops it. `server` is what runs in its process: ministack, with what it lacks
(`ministack_batching`, `ministack_uploads`, `ministack_sqs`, `ministack_updates`), closed to whoever has no
key (`ministack_access`) and, for the soak, with `faults`.
"""

HEALTH_PATH = "/_bill-e/health"
"""Answers without a body as soon as requests are served, to anybody on this machine."""
