"""A worker: a process that makes the steps a command sends it, one after the other, and tells how that goes.

It ends with the command that started it, whatever becomes of that: the pipe between the two is closed then. A stop from
the keyboard reaches the command alone, which passes it on.
"""

import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dagster_project.worker_messages import (
    KINDS,
    Answer,
    Briefing,
    Finished,
    Noticed,
    Order,
    Over,
    Question,
    Stop,
    Went,
)
from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project

ORDERLY_SECONDS = 1.5
"""Time that a step has to stop in order."""

OFTEN_SECONDS = 0.1
"""Progress within a stage is told at most so often."""

STOPPED = 130


@dataclass(frozen=True, eq=False)
class AskingProject(Project):
    """A snapshot that another process took: inputs that it lacks are asked for there, so that both see the same."""

    ask: Callable[[str], bytes | None] = lambda _: None

    def input(self, path: str) -> bytes | None:
        """The bytes of a file under `inputs/`, as the process has read it that took the snapshot."""
        with self._lock:
            if path not in self._inputs:
                self._inputs[path] = self.ask(path)
        return super().input(path)


class Wire:
    """The worker's end of the pipe; a thread of its own listens, so that a stop is heard in the middle of a step."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._sending, self._asking = threading.Lock(), threading.Lock()
        self._told = (PartitionRef("", ""), "", 0.0)
        self.busy = False

    def listen(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def order(self) -> Order | None:
        """The next order; None where there is none any more."""
        return self._orders.get()

    def send(self, message: object) -> None:
        """Tell the command."""
        with self._sending:
            self._connection.send(message)

    def ask(self, path: str) -> bytes | None:
        """What the command sees of an input. Raises `BadInputError` where it cannot be used."""
        with self._asking:
            self.send(Question(path))
            answer = self._answers.get()
        if answer.refused:
            raise BadInputError(answer.refused)
        return answer.data

    def went(self, ref: PartitionRef, done: int, total: int, stage: str, detail: str) -> None:
        """Tell progress, but not all of it: a new stage, the end of one, and now and then."""
        now = time.monotonic()
        if (ref, stage) != self._told[:2] or done >= total or now - self._told[2] >= OFTEN_SECONDS:
            self._told = (ref, stage, now)
            self.send(Went(ref, done, total, stage, detail))

    def noticed(self, sentence: str) -> None:
        """Tell a sentence."""
        self.send(Noticed(sentence))

    def _listen(self) -> None:
        while True:
            try:
                message: Any = self._connection.recv()
            except (EOFError, OSError):
                os._exit(STOPPED)
            if isinstance(message, Order):
                self._orders.put(message)
            elif isinstance(message, Answer):
                self._answers.put(message)
            elif isinstance(message, Stop):
                self._stop()

    def _stop(self) -> None:
        """End in order as far as possible; libraries that are stopped in the middle complain, and nobody hears it."""
        if not self.busy:
            self._orders.put(None)
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(ORDERLY_SECONDS)
        os._exit(STOPPED)


def _project(briefing: Briefing, wire: Wire) -> tuple[Project, Any]:
    """The command's snapshot, and a home that gives it."""
    from dagster_project.registry import Registry, home_of

    home = home_of(briefing.environment, Registry())
    project = AskingProject(
        home.lake,
        home.parts,
        briefing.settings,
        briefing.regions,
        briefing.sample,
        accepts_losses=briefing.accepts_losses,
        forced=briefing.forced,
        _inputs=dict(briefing.inputs),
        ask=wire.ask,
    )
    return project, home


def work(briefing: Briefing, wire: Wire) -> None:
    """Make what is ordered until there are no more orders. An error ends the command, and so this process."""
    from dagster import DagsterInstance

    from dagster_project.definitions import build_definitions
    from dagster_project.event_log import kept_open
    from dagster_project.outcomes import Recorder
    from dagster_project.registry import Registry
    from dagster_project.run_locks import running
    from dagster_project.step_maker import StepMaker, uncaptured
    from minemap_assets.graph.graph import Graph, Step
    from minemap_assets.graph.launches import launched
    from minemap_assets.graph.partition_states import PartitionStates
    from minemap_assets.imagery.config import ImageryConfig
    from minemap_assets.lake.disk_errors import storage_errors
    from minemap_assets.net.usage import run_usage

    recorder = Recorder(wire.went, wire.noticed)
    plain, home = _project(briefing, wire)
    project = replace(plain, listener=recorder)
    definitions = build_definitions(briefing.environment, home.pinned(project), Registry(), running_year=True)
    graph = Graph(Registry().rooms, project)
    states = PartitionStates(graph, project)
    place = Path(briefing.dagster_home)
    with (
        storage_errors(place, "MINEMAP_STATE"),
        DagsterInstance.from_config(briefing.dagster_home) as instance,
        uncaptured(instance),
        kept_open(instance),
        running(instance) as tags,
    ):
        maker = StepMaker(definitions, states, instance, recorder)
        while (order := wire.order()) is not None:
            wire.busy = True
            for path, data in order.inputs.items():
                project.wrote(path, data)
            for ref in order.made:
                project.was_made(ref)
            states.forget(order.made)
            step = Step(tuple(graph.asset(ref) for ref in order.refs), order.refs[0].keys)
            with launched(project, briefing.tags, ""), run_usage(project.section(ImageryConfig).budget):
                results = maker.make(step.assets, step, {**tags, **briefing.tags})
            wire.busy = False
            wire.send(Finished(order.number, tuple(results)))


def main(descriptor: int) -> int:
    """Work for the command at the other end of a pipe; returns the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.filterwarnings("ignore", category=UserWarning)
    connection = Connection(descriptor)
    briefing: Briefing = pickle.loads(connection.recv_bytes())
    wire = Wire(connection)
    wire.listen()
    try:
        work(briefing, wire)
    except KeyboardInterrupt:
        return STOPPED
    except MinemapError as error:
        wire.send(Over(str(error), next(kind for kind in KINDS if isinstance(error, kind))))
    except Exception as error:
        said = str(error).strip().splitlines()
        sentence = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
        wire.send(Over(sentence, account=traceback.format_exc()))
    return 0


if __name__ == "__main__":
    code = main(int(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
