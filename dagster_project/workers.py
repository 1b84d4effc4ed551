"""The worker processes of one command, as many as it may use cores: started when there is work for them, and ended with
it. What they tell is passed on; one that the system killed is told of, so that its step can be tried again.
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from dagster_project.outcomes import Recorder
from dagster_project.worker_messages import (
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
from minemap_assets.errors import MinemapError
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.segmentation.cores import JOBS, process_cores

STOP_SECONDS = 2.0
"""Time that workers have to end when they are stopped; then they are killed."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What libraries of linear algebra read: each takes every core otherwise, in every worker."""


@dataclass(frozen=True)
class Lost:
    """A worker ended in the middle of an order, by a signal (or with an exit code)."""

    number: int
    how: str


@dataclass(eq=False)
class _Worker:
    """A worker as the command sees it: what it is at, what it has worked with, and which inputs it was given."""

    process: "subprocess.Popen[bytes]"
    connection: Connection
    given: dict[str, bytes | None]
    order: Order | None = None
    skills: set[str] = field(default_factory=set)
    made: int = 0


class Crew:
    """Up to `jobs` workers. The project is the snapshot that all of them are to see."""

    def __init__(self, jobs: int, briefing: Callable[[], Briefing], project: Project, recorder: Recorder) -> None:
        self._jobs = jobs
        self._briefing = briefing
        self._project = project
        self._recorder = recorder
        self._workers: list[_Worker] = []
        self._made: list[PartitionRef] = []

    @property
    def has_room(self) -> bool:
        """Whether somebody has nothing to do, or may be started."""
        return len(self._workers) < self._jobs or any(one.order is None for one in self._workers)

    @property
    def busy(self) -> bool:
        """Whether anybody is at work."""
        return any(one.order is not None for one in self._workers)

    @property
    def processes(self) -> dict[int, tuple[PartitionRef, ...]]:
        """What each process is at, by its id."""
        return {one.process.pid: one.order.refs for one in self._workers if one.order is not None}

    def give(self, number: int, refs: tuple[PartitionRef, ...], pools: Collection[str]) -> None:
        """Have some partitions of one step made: by who has worked with its pools before, or by a new worker."""
        idle = [one for one in self._workers if one.order is None]
        able = [one for one in idle if set(pools) <= one.skills]
        fresh = [one for one in idle if not one.skills]
        if able or not pools:
            worker = next(iter(able or fresh or idle), None)
        else:
            worker = next(iter(fresh), None) or (None if len(self._workers) < self._jobs else idle[0])
        worker = worker or self._start()
        changed = {
            path: data
            for path, was in worker.given.items()
            if (data := self._project.input(path)) is not was and data is not None
        }
        worker.given.update(changed)
        worker.order = Order(number, refs, tuple(self._made[worker.made :]), changed)
        worker.made = len(self._made)
        worker.skills.update(pools)
        with suppress(OSError):  # who is gone is met when it is listened to
            worker.connection.send(worker.order)

    def made(self, ref: PartitionRef) -> None:
        """A partition was made anew: the others have to know."""
        self._made.append(ref)

    def wait(self) -> list[Finished | Lost]:
        """What came to an end; at least one, and meanwhile all that is told is passed on.

        Raises what ends the whole command.
        """
        ended: list[Finished | Lost] = []
        while not ended:
            connections = {one.connection: one for one in self._workers}
            for ready in wait(list(connections)):
                worker = connections[ready]  # type: ignore[index]
                try:
                    message: object = worker.connection.recv()
                except (EOFError, OSError):
                    ended += self._lost(worker)
                else:
                    ended += self._heard(worker, message)
        return ended

    def stop(self) -> None:
        """End all workers: at once those who have nothing to do, within seconds the others."""
        for worker in self._workers:
            with suppress(OSError):
                worker.connection.send(Stop())
        end = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, end - time.monotonic()))
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
            worker.connection.close()
        self._workers.clear()

    def _heard(self, worker: _Worker, message: object) -> list[Finished | Lost]:
        if isinstance(message, Went):
            self._recorder.progress(message.ref, message.done, message.total, message.stage, message.detail)
        elif isinstance(message, Noticed):
            self._recorder.noticed(message.sentence)
        elif isinstance(message, Question):
            self._answer(worker, message.path)
        elif isinstance(message, Over):
            raise _error(message)
        elif isinstance(message, Finished):
            worker.order = None
            return [message]
        return []

    def _answer(self, worker: _Worker, path: str) -> None:
        try:
            answer = Answer(self._project.input(path))
            worker.given[path] = answer.data
        except MinemapError as error:
            answer = Answer(None, str(error))
        with suppress(OSError):
            worker.connection.send(answer)

    def _lost(self, worker: _Worker) -> list[Finished | Lost]:
        """A worker whose pipe is closed has ended, or is about to."""
        worker.connection.close()
        try:
            code = worker.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            code = worker.process.wait()
        self._workers.remove(worker)
        if worker.order is None:
            return []
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return [Lost(worker.order.number, how)]

    def _start(self) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dagster_project.worker_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=self._environment(),
            )
        briefing = self._briefing()
        worker = _Worker(process, Connection(ours.detach()), dict(briefing.inputs), made=len(self._made))
        self._workers.append(worker)
        with suppress(OSError):
            worker.connection.send_bytes(pickle.dumps(briefing))
        return worker

    def _environment(self) -> Mapping[str, str]:
        """This process's own, with as many threads a worker as there are cores for it."""
        threads = str(max(1, process_cores() // self._jobs))
        return dict.fromkeys(_THREADS, threads) | dict(os.environ) | {JOBS: str(self._jobs)}


def _error(message: Over) -> Exception:
    if message.kind is not None:
        return message.kind(message.sentence)
    error = RuntimeError(message.sentence)
    error.add_note(f"In a worker process:\n{message.account}")
    return error
