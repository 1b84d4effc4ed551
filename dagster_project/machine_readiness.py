"""Whether this machine can run a project: versions, the accelerator, the two folders, and room on the disk."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dagster_project.environment import Environment
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.budget import GIGABYTE
from minemap_assets.lake.store import LocalStore, Store
from minemap_assets.planning.estimates import Estimate
from minemap_assets.planning.findings import Finding, doubt, ok, wrong
from minemap_assets.segmentation.config import SegmentationConfig

OLDEST, NEWEST = (3, 11), (3, 13)
"""Versions of Python that the project is tested with."""

LEAST_FREE_GB = 5.0
"""With less free disk a run of any size may end on a full one."""

ROOMY = 1.25
"""Free disk that is to be left, as a factor of what a run is estimated to need."""


def version_findings() -> Iterator[Finding]:
    """Python and Dagster."""
    here = sys.version_info[:2]
    told = f"Python {here[0]}.{here[1]}"
    if OLDEST <= here <= NEWEST:
        yield ok(told)
    else:
        tested = " to ".join(".".join(map(str, one)) for one in (OLDEST, NEWEST))
        yield doubt(f"{told} is not among the versions that are tested", f"use Python {tested}")
    dagster, webserver = (_version(name) for name in ("dagster", "dagster-webserver"))
    if dagster == webserver:
        yield ok(f"Dagster {dagster}")
    else:
        yield wrong(
            f"dagster is {dagster} and dagster-webserver {webserver}, which do not work together",
            f"install the same version of both: `pip install dagster-webserver=={dagster}`",
        )


def instance_findings(environment: Environment) -> Iterator[Finding]:
    """Whether Dagster's configuration gives back what killed processes held."""
    from dagster_project.instance import lacking

    if lacks := lacking(environment.dagster_home):
        what, _, advice = lacks.partition("; ")
        yield doubt(what, advice)


def device_findings(config: SegmentationConfig, environment: Environment) -> Iterator[Finding]:
    """Where the model is trained and applied, and how steps are run."""
    try:
        import torch
    except ImportError as error:
        yield wrong(f"torch cannot be imported ({error})", "install the project again with `make setup`")
        return
    executor = f"executor {environment.executor}"
    if torch.cuda.is_available():
        unused = " (not used: [segmentation] device is cpu)" if config.device == "cpu" else ""
        yield ok(f"torch {torch.__version__}, GPU {torch.cuda.get_device_name(0)}{unused}, {executor}")
    elif config.device == "cuda":
        yield wrong(
            "[segmentation] device is 'cuda', and torch sees no GPU",
            "set it to 'auto', or install torch for this machine's GPU",
        )
    else:
        yield ok(f"torch {torch.__version__}, no GPU: the model is trained and applied on the CPU, {executor}")


def folder_findings(environment: Environment, store: Store) -> Iterator[Finding]:
    """Where the project and this machine's part of it lie, and whether both can be written to."""
    yield (
        _written("MINEMAP_HOME", Path(store.root))
        if isinstance(store, LocalStore)
        else ok(f"MINEMAP_HOME is {store.root}")
    )
    yield _written("MINEMAP_STATE", environment.dagster_home.parent)
    if environment.dagster_home.exists():
        found = _written("MINEMAP_STATE", environment.dagster_home)
        if found.advice:
            yield found


def disk_findings(environment: Environment, store: Store, estimate: Estimate) -> Iterator[Finding]:
    """Free disk against what is estimated to be kept there."""
    needed = (estimate.total.disk_bytes + estimate.chip_bytes) / GIGABYTE
    place = Path(store.root) if isinstance(store, LocalStore) else environment.dagster_home
    free = shutil.disk_usage(_existing(place)).free / GIGABYTE
    told = f"{free:,.0f} GB of disk are free at {place}"
    if free < needed:
        yield wrong(f"{told}, and this run needs about {needed:,.0f} GB", "free some, or map fewer regions or years")
    elif free < max(LEAST_FREE_GB, needed * ROOMY):
        yield doubt(f"{told}, and this run needs about {needed:,.1f} GB", "free some before it is full")
    else:
        yield ok(f"{told}, this run needs about {needed:,.1f} GB" if needed else told)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _written(variable: str, folder: Path) -> Finding:
    """Whether a file can be written in a folder, or in the one in which it would be made."""
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return wrong(
            f"{variable} is {folder}, where nothing can be written ({error.strerror})",
            "set it to a folder that you may write to",
        )
    new = "" if folder.exists() else ", which will be made"
    return ok(f"{variable} is {folder}{new}")


def _existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists. Raises `BadInputError` without any."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            return place
    raise BadInputError(f"{folder} lies nowhere; set MINEMAP_HOME and MINEMAP_STATE to folders")
