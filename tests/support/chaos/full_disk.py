"""Disks that take nothing more: one sentence, nothing half-written, and all is made once there is room again."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.holdings import holding
from chaos.kills import compared
from chaos.places import Disk
from chaos.tally import Outcome
from commands import DEMO, command
from tiny import Chain

FULL = "disk full"

ROOM = {
    "imagery/imagery": 4_000_000,
    "imagery/reference_imagery": 4_000_000,
    "chips/chips": 4_000_000,
    "chips/training_chips": 4_000_000,
    "segmentation/raw_masks": 100_000,
    "polygons/raw_polygons": 20_000,
    "polygons/mining_polygons": 20_000,
    "tables/polygons": 8_000,
}
"""Assets that are to be made on a full disk, and the most bytes that are left for it: less than they need."""


class NotAllowedError(Exception):
    """This machine does not let us mount a disk."""


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk in memory at a new folder."""
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NotAllowedError("there is no command mount") from error
    if done.returncode:
        raise NotAllowedError(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def full_disk(place: Disk, folder: Path, seed: str) -> list[Outcome]:
    """A run on a disk that is full but for a few bytes, and one after it was emptied."""
    chance, copy = random.Random(seed), place.copied(folder / "copy")
    asset = chance.choice(sorted(ROOM))
    with disk(folder / "disk", 256) as mount:
        shutil.copytree(copy.folder / "lake", mount / "lake", copy_function=shutil.move)
        shutil.move(copy.folder / "state", folder / "state")
        (folder / "lake").symlink_to(mount / "lake")
        chain = Chain(folder)
        shutil.rmtree(mount / "lake" / asset)
        ballast = mount / "ballast"
        with ballast.open("wb") as handle:
            for _ in range(max(0, shutil.disk_usage(mount).free - chance.randrange(ROOM[asset])) // 4096):
                handle.write(bytes(4096))
        end = command(chain, *DEMO)
        losses = [f"on the full disk: {fault}" for fault in holding(place.store(chain)).faults]
        noticed = end.code == 1 and "is full" in end.text and "Traceback" not in end.text
        if not noticed:
            losses.append(f"the run ended with {end.code} on a full disk: {end.text[-600:]}")
        ballast.unlink()
        losses += compared(place, chain, command(chain, *DEMO))
    shutil.rmtree(folder)
    return [Outcome(FULL, place.name, 1, int(noticed), int(not losses), tuple(losses))]
