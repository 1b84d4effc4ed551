"""The large run: `python -m chaos --kills 200 --flips 300 --races 100 --seed 1`, with `tests/support` on the path.

What is done is kept in the folder, so that the same command goes on after a stop. Ends with a table and the number of
losses; the exit code is 0 where there was none.
"""

import argparse
import os
import secrets
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from pathlib import Path

from chaos.full_disk import NotAllowedError
from chaos.places import Bucket, Disk
from chaos.plans import Amounts, Experiment, experiments
from chaos.tally import Outcome, Tally
from servers.object_storage import storage


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    for name, default in (("kills", 200), ("flips", 300), ("races", 100), ("jobs", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=None, help="Default: one by chance.")
    parser.add_argument("--folder", type=Path, default=Path("build/chaos"))
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    folder = options.folder.absolute() / f"seed-{seed}"
    tally = Tally(folder / "outcomes.jsonl")
    _say(f"seed {seed}, in {folder}; {len(tally.done)} experiments are done")
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    os.environ.pop("MINEMAP_HOME", None)
    with storage() as server:
        _say("running the two chains that nothing will disturb")
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.submit(Disk.made, work), pool.submit(Bucket.made, server.url, work / "bucket")
            disk, bucket = first.result(), second.result()
        if told := bucket.expected.against(disk.expected):
            raise SystemExit(f"undisturbed chains differ between the places: {told}")
        source = next((work / "undisturbed/lake/inputs/reference/simulated_broad").rglob("*.parquet"))
        amounts = Amounts(options.kills, options.flips, options.races)
        planned = experiments(amounts, seed, disk, bucket, server.url, source)
        _all(planned, tally, work, options.jobs)
    for loss in tally.losses:
        _say(f"LOSS {loss}")
    _say(tally.table())
    _say(f"losses: {len(tally.losses)}")
    return 1 if tally.losses else 0


def _all(planned: list[Experiment], tally: Tally, work: Path, jobs: int) -> None:
    """Everything that is not done yet; Ctrl-C ends it after what is being done."""
    left, start = [one for one in planned if one.name not in tally.done], time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_safely(one), work / one.name): one for one in left}
        try:
            for number, future in enumerate(as_completed(running), start=1):
                one, outcomes = running[future], future.result()
                if outcomes is None:
                    continue
                tally.add(one.name, outcomes)
                took = timedelta(seconds=round(time.monotonic() - start))
                lost = sum(len(outcome.losses) for outcome in outcomes)
                what = ", ".join(f"{outcome.tried} x {outcome.kind} ({outcome.place})" for outcome in outcomes)
                _say(f"[{number}/{len(left)}] {took} {one.name}: {what}: {'no loss' if not lost else f'LOSSES {lost}'}")
        except KeyboardInterrupt:
            _say("stopping; the same command with this seed goes on from here")
            pool.shutdown(cancel_futures=True)


def _safely(one: Experiment) -> Callable[[Path], list[Outcome] | None]:
    """An experiment that breaks is a loss; one that this machine does not allow is left out."""

    def run(folder: Path) -> list[Outcome] | None:
        try:
            return one.run(folder)
        except NotAllowedError as error:
            _say(f"{one.name} is left out: {error}")
            return None
        except Exception:
            return [Outcome(f"{one.name.split('-')[0]}, broken off", "", 1, 0, 0, (traceback.format_exc(),))]

    return run


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
