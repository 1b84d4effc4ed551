"""Areas of a site's history hang on its pixels alone, and not on how many cores add them up."""

import os
import subprocess
import sys

import pytest

MEASURES = """
import hashlib
import numpy as np
from minemap_assets.polygons.events import measure
from minemap_assets.polygons.history_chain import SiteChain

random, shape = np.random.default_rng(5), (9, 200_000)
mask, ratios = lambda: random.random(shape) > 0.5, lambda: random.random(shape).astype(np.float32)
mined = mask()
chain = SiteChain(np.arange(shape[1]), mined, ratios(), ratios(), ratios(), ratios(), mask(), list(mined))
found = measure(chain, random.random(shape[1]))
print(hashlib.sha256(b"".join(getattr(found, n).tobytes() for n in found.__dataclass_fields__)).hexdigest())
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core adds up in one way")
def test_as_many_threads_as_there_are_give_the_bytes_of_one() -> None:
    found = {
        threads: subprocess.run(
            [sys.executable, "-c", MEASURES],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert found["1"] == found["2"] != ""
