"""The console: the ledger's first entries, and frames while it is scrolled.

`bill-e console` in Chromium without a window, on an embedded AWS with {scale.console_entries:,} entries. The
first table is measured from the navigation until rows are painted, in a browser that was started after the
console, and when the page is loaded again; the figures are medians of {scale.console_rounds}. The
baseline, in the same rounds, is an empty page and then the console's answer for the same entries. Frames are
the time from one to the next: while the ledger is scrolled to its end for the first time, loading; then by
{BY_HAND} pixels a frame, as fast as a hand does it; and then from top to bottom in {FRAMES:,} frames, so that
each has other rows. Their baseline is an empty page of the same height.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.embedded import long_ledger
from bench.embedded.field import Field
from bench.results import Aim, FigureTable, Findings
from bench.scale import Scale

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""Where the browser is, if there is one."""

FRAMES = 1_200
BY_HAND = 300
VIEWPORT: Any = {"width": 1280, "height": 800}

PAINTED = """
window.painted = new Promise((resolve) => {
    const look = () => requestAnimationFrame(() => {
        if (!document.querySelector(".rows .row:not(.probe)")) return look();
        const after = new MessageChannel();
        after.port1.onmessage = () => resolve(performance.now());
        after.port2.postMessage(null);
    });
    look();
});
"""
"""Says when rows were painted: the task after a frame that has them."""

EMPTY = """async () => {
    const loaded = performance.getEntriesByType("navigation")[0].loadEventEnd;
    const asked = performance.now();
    await (await fetch("/api/receipts?limit=100&key=.")).json();
    return loaded + performance.now() - asked;
}"""

SCROLLED = """async ([frames, most]) => {
    const gaps = [];
    const frame = () => new Promise(requestAnimationFrame);
    const isLoading = () => frames === null && !document.body.textContent.includes(", back to the first.");
    scrollTo(0, 0);
    let last = await frame();
    for (let number = 1; frames === null ? isLoading() : number <= frames; number++) {
        const height = Math.min(document.documentElement.scrollHeight - innerHeight, most);
        scrollTo(0, frames === null ? height : (height * number) / frames);
        const now = await frame();
        gaps.push(now - last);
        last = now;
    }
    return gaps;
}"""
"""Scrolls from the top, by at most so many pixels, in so many frames, or to the bottom until all has been
loaded. Returns how long each frame took."""

FAR = 1e9


@dataclass(frozen=True, kw_only=True)
class FirstTables:
    """When rows were painted in each round, and what the baseline took, in milliseconds."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    baseline: list[float] = field(default_factory=list)


def measure(field: Field, scale: Scale) -> Findings:
    """Fill the ledger, open the console again and again, and scroll."""
    if CHROMIUM is None:
        yield FigureTable({"Chromium isn't installed": {"": "not measured"}})
        return
    from playwright.sync_api import sync_playwright

    stack = field.stack
    table = stack.outputs["ledger_table"]
    long_ledger.fill(stack.administrator, table, scale.console_entries, datetime.now(UTC))
    times = FirstTables()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="bench-console-") as folder:
        outputs = Path(folder) / "outputs.json"
        outputs.write_text(json.dumps(stack.description()), encoding="utf-8")
        for _ in range(scale.console_rounds):
            with _console(outputs) as address, _page(playwright) as page:
                _open(page, address, times)
        with _console(outputs) as address, _page(playwright) as page:
            page.goto(address)
            loading = page.evaluate(SCROLLED, [None, FAR])
            height = page.evaluate("document.documentElement.scrollHeight")
            by_hand = page.evaluate(SCROLLED, [FRAMES, BY_HAND * FRAMES])
            through = page.evaluate(SCROLLED, [FRAMES, FAR])
        with _page(playwright) as page:
            page.set_content(f'<div style="height: {height}px"></div>')
            nothing = page.evaluate(SCROLLED, [FRAMES, FAR])
    frames = {"loading": loading, "by hand": by_hand, "all of it": through, "an empty page": nothing}
    yield from _tables(times, frames)


@contextlib.contextmanager
def _console(outputs: Path) -> Iterator[str]:
    """Start a console, and yield the address that it prints."""
    command = [sys.executable, "-m", "cli.main", "console", "--no-browser"]
    environment = {**os.environ, "BILL_E_OUTPUTS": str(outputs)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 (a pipe, as asked)
            found = (re.search(r"http://\S+secret=\S+", line) for line in process.stdout)
            yield next(match[0] for match in found if match)
        finally:
            process.terminate()


@contextlib.contextmanager
def _page(playwright: Playwright) -> Iterator[Page]:
    with contextlib.closing(playwright.chromium.launch(executable_path=CHROMIUM)) as browser:
        yield browser.new_page(viewport=VIEWPORT)


def _open(page: Page, address: str, times: FirstTables) -> None:
    """Open a console for the first time, then again, then the baseline."""
    page.add_init_script(PAINTED)
    own = address.partition("?")[0]
    for where, measured in ((address, times.first), (own, times.again)):
        page.goto(where, wait_until="commit")
        measured.append(page.evaluate("window.painted"))
    page.goto(f"{own}icon.svg")
    times.baseline.append(page.evaluate(EMPTY))


def _tables(times: FirstTables, frames: Mapping[str, Sequence[float]]) -> Findings:
    figures = {
        "an empty page, and the answer": times.baseline,
        "first table, just started": times.first,
        "first table, page loaded again": times.again,
    }
    # Round by round, since a machine may be slower for some of them.
    share = {
        name: statistics.median(time / least for time, least in zip(each, times.baseline, strict=True))
        for name, each in figures.items()
    }
    yield FigureTable(
        {
            name: {
                "relative to an empty page and the answer": f"{share[name]:.2f}",
                "from navigation": f"{statistics.median(each):.0f} ms",
                "most": f"{max(each):.0f} ms",
            }
            for name, each in figures.items()
        }
    )
    yield FigureTable(
        {
            name: {
                "frames": f"{len(gaps):,}",
                **{
                    f"{percent}th percentile": f"{_percentile(gaps, percent):.1f} ms"
                    for percent in (50, 95, 99)
                },
                "longest": f"{max(gaps):.0f} ms",
            }
            for name, gaps in frames.items()
        },
        caption="Frames while the ledger is scrolled",
    )
    yield Aim(
        "the first table of a console and a browser that have just started",
        statistics.median(times.first) / 1000,
        1,
        unit=" s",
    )
    usual, least = (_percentile(frames[name], 99) for name in ("by hand", "an empty page"))
    yield Aim(
        "the 99th percentile of frames while scrolling by hand, relative to an empty page", usual / least, 1.5
    )


def _percentile(gaps: Sequence[float], percent: int) -> float:
    return statistics.quantiles(gaps, n=100)[percent - 1]
