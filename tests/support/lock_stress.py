"""Many processes that enter workspaces of one folder, amid what dead ones left there: how often one is wronged.

Run as a module of its own by `stress`, once for each process: `python lock_stress.py FOLDER SEED NUMBER ROUNDS`.
"""

import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SHARED = 2
"""Names that all processes want, one after the other."""

PATIENCE = 120.0
"""Seconds after which a process that waits for such a name counts as wronged."""


@dataclass(frozen=True)
class Tally:
    """What happened: workspaces entered, refusals of a name that nobody else had, and errors nobody expects."""

    entered: int
    refused: int
    errors: tuple[str, ...]
    left: tuple[str, ...]
    """Names in the folder afterwards."""


def stress(seed: int, processes: int, rounds: int) -> Tally:
    """Let so many processes do so many things each, and kill every fourth.

    `left` is what remains after one more process has cleared the folder.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "folder"
        folder.mkdir()
        for number in range(processes * 5):
            _leave_behind(folder, f"stale{number}", str(number))
        command = [sys.executable, __file__, str(folder), str(seed)]
        running = [
            subprocess.Popen([*command, str(number), str(rounds)], stdout=subprocess.PIPE, text=True)
            for number in range(processes)
        ]
        killed = random.Random(seed).sample(running, processes // 4)
        for process in killed:
            time.sleep(0.1)
            process.kill()
        said = [json.loads(process.communicate()[0] or "{}") for process in running]
        codes = [process.returncode for process in running if process not in killed]

        from minemap_assets.lake.workspaces import clear

        clear(folder)
        return Tally(
            sum(one.get("entered", 0) for one in said),
            sum(one.get("refused", 0) for one in said),
            tuple(text for one in said for text in one.get("errors", ()))
            + tuple(f"a process ended with {code}" for code in codes if code),
            tuple(sorted(path.name for path in folder.iterdir())),
        )


def _leave_behind(folder: Path, name: str, token: str) -> None:
    """What a killed process leaves: a folder and its lock file, both whole from one moment to the next."""
    beside = folder.parent / f"made-{token}"
    (beside / "inner").mkdir(parents=True)
    (beside / "inner" / "file").write_text("x")
    lock = beside.with_suffix(".lock")
    lock.write_text("garbage \0 {")
    try:
        beside.rename(folder / name)
        lock.rename(folder / f"{name}.lock")
    except OSError:  # the name is there already, with something in it
        shutil.rmtree(beside, ignore_errors=True)
        lock.unlink(missing_ok=True)


class Process:
    """One of them."""

    def __init__(self, folder: Path, seed: int, number: int) -> None:
        self._folder = folder
        self._chance = random.Random(f"{seed}:{number}")
        self._own = f"own{number}"
        self.entered = self.refused = 0
        self.errors: list[str] = []

    def run(self, rounds: int) -> None:
        """Do so many things by chance."""
        deeds: list[Callable[[], None]] = [self._own_name, self._own_name, self._any_name, self._shared_name]
        deeds += [self._litter, self._own_litter, self._look]
        from minemap_assets.lake.locks import LockedError

        for _ in range(rounds):
            try:
                self._chance.choice(deeds)()
            except LockedError:
                self.refused += 1
            except Exception:
                self.errors.append(traceback.format_exc())

    def _own_name(self) -> None:
        from minemap_assets.lake.workspaces import workspace

        with workspace(self._folder, self._own) as folder:
            self._work(folder)

    def _any_name(self) -> None:
        from minemap_assets.lake.workspaces import workspace

        with workspace(self._folder) as folder:
            self._work(folder)

    def _shared_name(self) -> None:
        from minemap_assets.lake.locks import Wait
        from minemap_assets.lake.workspaces import workspace

        name = f"shared{self._chance.randrange(SHARED)}"
        with workspace(self._folder, name, Wait("it", PATIENCE, lambda _: None)) as folder:
            self._work(folder)

    def _work(self, folder: Path) -> None:
        """Nobody else may be in the folder, nor take anything away from it."""
        self.entered += 1
        if list(folder.iterdir()):
            self.errors.append(f"{folder.name} was not empty")
        mine = folder / str(os.getpid())
        mine.write_text("x")
        if self._chance.random() < 0.2:
            os.sched_yield()
        if [path.name for path in folder.iterdir()] != [mine.name]:
            self.errors.append(f"somebody else was in {folder.name}")

    def _litter(self) -> None:
        _leave_behind(self._folder, f"litter{self._chance.randrange(10_000)}", secrets.token_hex(8))

    def _own_litter(self) -> None:
        """What an earlier process of the same name left, which others clear while this one comes in."""
        _leave_behind(self._folder, self._own, secrets.token_hex(8))
        self._own_name()

    def _look(self) -> None:
        from minemap_assets.lake.workspaces import is_held

        is_held(self._folder / f"shared{self._chance.randrange(SHARED)}.lock")


def main() -> None:
    """One process."""
    process = Process(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    process.run(int(sys.argv[4]))
    json.dump({"entered": process.entered, "refused": process.refused, "errors": process.errors}, sys.stdout)


if __name__ == "__main__":
    main()
