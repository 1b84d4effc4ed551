"""What a page costs the main thread of Chromium, read from its own trace."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page

_TASKS = ("ThreadControllerImpl::RunTask", "RunTask")
_CATEGORIES = ["toplevel", "devtools.timeline"]


@dataclass
class Tasks:
    """Tasks of the main thread while something was done: the longest by the clock and of processor time in
    milliseconds, how many were over the limit by either, and the processor seconds of all.
    """

    limit_ms: float
    wall_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def told(self) -> dict[str, float]:
        """As JSON values."""
        return {
            "longest_ms": round(max(self.wall_ms, default=0.0), 1),
            "longest_processor_ms": round(max(self.processor_ms, default=0.0), 1),
            "over_limit": sum(one > self.limit_ms for one in self.wall_ms),
            "over_limit_processor": sum(one > self.limit_ms for one in self.processor_ms),
            "processor_seconds": round(sum(self.processor_ms) / 1000.0, 2),
        }


@contextmanager
def traced(browser: Browser, page: Page, limit_ms: float) -> Iterator[Tasks]:
    """Tasks of the page's main thread; they are known once the block ends."""
    tasks = Tasks(limit_ms)
    browser.start_tracing(page=page, categories=_CATEGORIES)
    try:
        yield tasks
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    main = {_thread(one) for one in events if one.get("name") == "thread_name" and _is_main(one)}
    for one in events:
        if one.get("ph") == "X" and one["name"] in _TASKS and _thread(one) in main:
            tasks.wall_ms.append(one["dur"] / 1000.0)
            tasks.processor_ms.append(one.get("tdur", 0) / 1000.0)


def _thread(event: dict[str, Any]) -> tuple[int, int]:
    return event["pid"], event["tid"]


def _is_main(event: dict[str, Any]) -> bool:
    return bool(event["args"]["name"] == "CrRendererMain")
