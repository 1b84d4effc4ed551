"""The command line in processes of their own, which tests may watch, stop and kill.

The processes are forked from one that has imported everything, because a test that kills a run twenty times would spend
most of its time importing.
"""

import multiprocessing
import os
import re
import runpy
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import iter_modules

import dagster_project.commands
from tiny import Chain

SCRIPT = str(Path(__file__).with_name("one_command.py"))

DEMO = ("demo", "--world", "tiny")

STATES = re.compile(r"(\w+) (made|kept|failed|held up)\b")
"""What a progress line says of each partition; more may stand behind it in brackets."""

PATIENCE = 300.0
"""Seconds after which what a test waits for is not going to happen."""

_forked = multiprocessing.get_context("forkserver")
_forked.set_forkserver_preload(
    [
        *("dagster_project.cli.main", "dagster_project.definitions", "dagster_project.first_promotion"),
        *("dagster_project.commands." + m.name for m in iter_modules(dagster_project.commands.__path__)),
        *("warm_commands", "upath", "rich.emoji"),
        *("torch", "transformers", "rasterio", "duckdb", "scipy.ndimage", "scipy.sparse.csgraph", "zarr"),
    ]
)
"""Also what a command imports only when it comes to it."""


@dataclass(frozen=True)
class Ended:
    """What a command came to; after a signal, `seconds` is the time it took."""

    code: int
    text: str
    seconds: float = 0.0

    def said(self, state: str) -> list[str]:
        """Asset partitions that the progress lines name as made, kept, failed or held up, as `where: asset`."""
        lines = [line.split("] ", 1)[1].split(": ", 1) for line in self.text.splitlines() if line.startswith("[")]
        return [f"{where}: {asset}" for where, told in lines for asset, how in STATES.findall(told) if how == state]


class Command:
    """A command on its way."""

    def __init__(self, chain: Chain, *words: str, environment: Mapping[str, str] | None = None) -> None:
        own = {"MINEMAP_HOME": chain.environment.home, "MINEMAP_STATE": str(chain.environment.state)}
        self._folder = tempfile.TemporaryDirectory()
        self._output = Path(self._folder.name) / "output"
        order = {
            "words": words,
            "environment": dict(os.environ) | own | dict(environment or {}),
            "output": str(self._output),
        }
        self._process = _forked.Process(target=runpy.run_path, args=(SCRIPT, {"ORDER": order}))
        self._process.start()

    @property
    def runs(self) -> bool:
        return self._process.is_alive()

    def wait_for(self, happened: Callable[[], bool], patience: float = PATIENCE) -> bool:
        """True as soon as something happened, False where the command ended before."""
        end = time.monotonic() + patience
        while self.runs:
            if happened():
                return True
            if time.monotonic() > end:
                self.end(signal.SIGKILL)
                raise TimeoutError("it did not happen")
            time.sleep(0.003)
        return False

    def end(self, how: signal.Signals | None = None) -> Ended:
        """Send a signal, or just wait for the end."""
        start = time.monotonic()
        if how is not None and self._process.pid is not None and self.runs:
            os.kill(self._process.pid, how)
        self._process.join(PATIENCE)
        seconds, code = time.monotonic() - start, self._process.exitcode
        if code is None:
            self._process.kill()
            raise TimeoutError("it did not end")
        text = self._output.read_text() if self._output.exists() else ""
        self._folder.cleanup()
        return Ended(code, text, seconds)


def command(chain: Chain, *words: str, environment: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end."""
    return Command(chain, *words, environment=environment).end()
