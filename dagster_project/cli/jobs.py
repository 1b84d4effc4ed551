"""The option `--jobs`, which commands take that make partitions."""

from typing import Annotated

import typer

Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        envvar="MINEMAP_JOBS",
        help="So many partitions side by side, and no more cores than that; 1 is one after the other, in one process. "
        "Default: the cores of this machine.",
    ),
]


def jobs_or_cores(jobs: int | None) -> int:
    """What was wished, else the cores that this process may use."""
    from minemap_assets.segmentation.cores import process_cores

    return jobs or process_cores()
