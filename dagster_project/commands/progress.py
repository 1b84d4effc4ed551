"""A run on the screen: at a terminal a few lines that change, elsewhere a line for each step and now and then one more.

The first line is the whole run with the time that is left, those below it where long partitions are.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from dagster_project.commands.context import errors, note
from dagster_project.outcomes import Result, State
from dagster_project.pace import Pace, Stage, exact
from minemap_assets.graph.graph import Step
from minemap_assets.lake.manifests import PartitionRef

LINE_SECONDS = 30.0
"""Without a terminal a long partition says where it is at most so often."""

LONG_SECONDS = 1.0
"""A partition that takes longer than this says where it is."""

PARTS = 4
"""At most so many partitions in work have lines of their own."""

_CLOSING_SECONDS = 0.3


def failure(result: Result) -> str:
    """The partition and its reason, which may name it already."""
    name = str(result.ref)
    return result.reason if result.reason.startswith(name) else f"{name}: {result.reason}"


def outcome(result: Result, *, timed: bool = False) -> str:
    """How a partition came out, in a few words: `imagery made (2 of 40 sites missing; 12 s)`."""
    more = [str(result.gaps)] if result.gaps is not None else []
    more += [exact(result.seconds)] if timed and result.seconds >= LONG_SECONDS else []
    return f"{result.ref.asset} {result.state.value}" + (f" ({'; '.join(more)})" if more else "")


class Display:
    """Is told what a run does, and shows it on one console. `verbose` gives every partition a line of its own."""

    def __init__(self, console: Console, total: int, pace: Pace, *, verbose: bool = False) -> None:
        self._console, self._total, self._pace, self._verbose = console, total, pace, verbose
        self._done = 0
        self._spoken: dict[PartitionRef, float] = {}
        self._working: dict[Step, None] = {}
        self._parts: dict[PartitionRef, TaskID] = {}
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Times(pace),
            console=console,
            refresh_per_second=4,
            transient=True,
            disable=not console.is_terminal,
        )
        self._whole = self._bars.add_task("starting", total=total)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within, the lines stand on the terminal; afterwards they are gone."""
        with self._bars:
            yield

    def close(self) -> None:
        """Take the lines away from any thread, unless the one that draws them is stuck."""
        closing = threading.Thread(target=self._bars.stop, daemon=True)
        closing.start()
        closing.join(_CLOSING_SECONDS)

    def begun(self, step: Step) -> None:
        """A step is being made."""
        now = time.monotonic()
        self._spoken.update(dict.fromkeys(step.refs, now))
        self._working[step] = None
        self._describe(step)

    def ended(self, step: Step, results: Sequence[Result], reasons: Sequence[str] = ()) -> None:
        """A step is over; `reasons` say for each result why it was made, where that is known."""
        self._done += len(results)
        self._working.pop(step, None)
        for result in results:
            self._pace.ended(result.ref, result.seconds, made=result.state is State.MADE)
            self._spoken.pop(result.ref, None)
            if result.ref in self._parts:
                self._bars.remove_task(self._parts.pop(result.ref))
        self._describe(step)
        self._bars.update(self._whole, completed=self._done)
        for result in results:
            if result.state is State.FAILED:
                self._console.print(f"[red]failed[/] {escape(failure(result))}", soft_wrap=True)
        head = f"[{self._done}/{self._total}] {step.title}: "
        if self._verbose:
            for result, reason in zip(results, reasons or [""] * len(results), strict=True):
                self._line(f"{head}{outcome(result, timed=True)}{f', {reason}' if reason else ''}")
        elif not self._console.is_terminal:
            self._line(head + ", ".join(outcome(result, timed=True) for result in results))

    def went_on(self, partition: PartitionRef, done: int, total: int, stage: str, detail: str) -> None:
        """A partition that is being made has come further."""
        where = Stage(partition, stage, done, total, detail)
        self._pace.went_on(where)
        now = time.monotonic()
        long = now - self._spoken.setdefault(partition, now)
        if self._console.is_terminal:
            if partition not in self._parts and long >= LONG_SECONDS and len(self._parts) < PARTS:
                self._parts[partition] = self._bars.add_task("", total=total, ref=partition)
            if partition in self._parts:
                named = f"{partition}: " if len(self._working) > 1 else ""
                self._bars.update(self._parts[partition], description=f"  {named}{where}", completed=done, total=total)
        elif long >= LINE_SECONDS and done < total:
            self._spoken[partition] = now
            left = self._pace.stage_left(partition)
            self._line(f"{partition}: {where}{f', {left}' if left else ''}")

    def _describe(self, step: Step) -> None:
        """On the line of the whole run: the steps in work, or the one that was last looked at."""
        first = next(reversed(self._working), step)
        more = f" and {len(self._working) - 1} more" if len(self._working) > 1 else ""
        self._bars.update(self._whole, description=first.title + more)

    def note(self, sentence: str) -> None:
        """Say what a person should know: above the lines that change, where the error stream is on a terminal too."""
        note(sentence, on=self._console if self._console.is_terminal and errors.is_terminal else errors)

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


class _Times(ProgressColumn):
    """Time that has passed and time that is left: of the run on its line, of the stage on the other."""

    max_refresh = 0.5

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def render(self, task: Task) -> Text:
        """The two times."""
        part = task.fields.get("ref")
        left = self._pace.left() if part is None else self._pace.stage_left(part)
        passed = exact(self._pace.elapsed, tenths=False) if part is None else ""
        return Text(", ".join(text for text in (passed, str(left) if left else "") if text), style="progress.elapsed")
