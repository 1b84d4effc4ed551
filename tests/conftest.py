"""What every test may ask for."""

import math
import os
import signal
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from hasty_databases import wait_for_no_disk

if TYPE_CHECKING:
    from tiny import Chain

VARIABLE = "MINEMAP_TEST_DATA"

settings.register_profile("minemap", deadline=None)  # how long an example takes says nothing on a busy machine
settings.load_profile("minemap")

# Several tests run side by side as it is; those about workers ask for them.
os.environ.setdefault("MINEMAP_JOBS", "1")

wait_for_no_disk()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # as a script's background has it; what the tests start and interrupt would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real test data."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"set {VARIABLE} to the folder of real test data to run this test")
    return Path(folder).absolute()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> "Chain":
    """The tiny world, run to its end without any disturbance; copy it to change it.

    Processes that run tests side by side make it once, and have a copy each.
    """
    from dagster_project.runner import State
    from minemap_assets.lake.locks import hold
    from tiny import Chain

    warnings.simplefilter("ignore")
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "finished-tiny"
    whole = shared.with_suffix(".whole")
    with hold(shared.with_suffix(".lock"), math.inf):
        if not whole.exists():
            report = Chain(shared).prepared().run()
            assert not report.failures, report.failures
            assert report.count(State.BLOCKED) == 0
            whole.touch()
    return Chain(shared).copied(folder / "finished")
