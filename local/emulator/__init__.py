"""The AWS emulator, ministack: how it is started, and what is added to it.

`process` starts and stops it. `server` is what runs in its process: ministack, with what it lacks
(`ministack_batching`, `ministack_sqs`, `ministack_updates`) and, for the soak, with `faults`.
"""
