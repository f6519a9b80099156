"""The emulator's process: ministack behind TLS, on a socket that its parent, `local.emulator.process`, bound.

This replaces ``python -m ministack``, which also binds port 443 if it can, and outlives its parent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import threading
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.core import lambda_runtime

from local.emulator import (
    ministack_access,
    ministack_attributes,
    ministack_batching,
    ministack_conditions,
    ministack_downloads,
    ministack_events,
    ministack_indexes,
    ministack_listing,
    ministack_policies,
    ministack_sqs,
    ministack_updates,
    ministack_uploads,
)
from local.emulator.faults import FaultyApp


def main(listener: int, certificate: str, key: str, fault_share: float) -> None:
    """Serve on the socket with this descriptor until SIGTERM or SIGINT, or until the parent is gone.

    ``fault_share`` is the share of the functions' calls that have a fault (`local.emulator.faults`). With
    faults, some messages are delivered twice, too.
    """
    ministack_sqs.install()
    ministack_updates.install()
    ministack_batching.install()
    ministack_uploads.install()
    ministack_attributes.install()
    ministack_conditions.install()
    ministack_downloads.install()
    ministack_events.install()
    ministack_indexes.install()
    ministack_listing.install()
    ministack_policies.install()
    ministack_access.install()
    config = Config()
    config.bind = [f"fd://{listener}"]
    config.certfile, config.keyfile = certificate, key
    config.keep_alive_timeout = 75
    config.errorlog = logging.getLogger("hypercorn.error")
    served, dice = ministack_access.closed(app), random.Random()  # noqa: S311
    if fault_share:
        served = FaultyApp(served, fault_share, dice, ministack_sqs.repeat_deliveries(dice))
    asyncio.run(_serve_until_told_to_stop(served, config))


async def _serve_until_told_to_stop(served: Any, config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    serving = asyncio.create_task(serve(served, config, shutdown_trigger=asyncio.Event().wait))
    await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    _exit(serving)


def _stop_with_parent() -> None:
    """Wait for the end of stdin, which comes when the parent closes it or dies, even of SIGKILL."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _exit(serving: asyncio.Task[None]) -> None:
    """End at once: nothing is kept, so only the function processes have to be ended."""
    if serving.done():
        serving.result()
    lambda_runtime.reset()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]))
