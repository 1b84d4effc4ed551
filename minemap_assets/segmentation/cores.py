"""How many cores one process may keep busy, which is no setting of a project: results never hang on it."""

import os

from minemap_assets.errors import BadInputError

JOBS = "MINEMAP_JOBS"
"""The environment variable that says how many cores a run may use; also the default of `--jobs`."""


def process_cores() -> int:
    """Cores that the system lets this process use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_to_use() -> int:
    """As many as `MINEMAP_JOBS` says, else all. Raises `BadInputError` where that is no number.

    A container may be given less than the machine has, and not see that: there the variable says so.
    """
    wanted = os.environ.get(JOBS, "").strip()
    if not wanted:
        return process_cores()
    if not wanted.isdigit() or int(wanted) < 1:
        raise BadInputError(f"{JOBS} is {wanted!r}, which is no number of cores; write 1 or more, or unset it")
    return min(int(wanted), process_cores())
