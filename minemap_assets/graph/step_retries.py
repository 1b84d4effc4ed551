"""Steps that are tried again by themselves: which failures may pass, how often, and after how long.

What a request or an answer may lack is repeated where it is asked (`net/policy.py`). This is for what ends a whole step
and may be gone a little later: a process that the system killed, a partition or a pool that somebody else held for too
long, a service that was down for minutes. A step that is tried again keeps all that it had published.
"""

from collections.abc import Mapping

import dagster as dg

from minemap_assets.errors import ConflictError, MinemapError, RetryableError
from minemap_assets.graph.launches import ATTENDED

STEP_RETRIES = dg.RetryPolicy(max_retries=2, delay=15.0, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""Tried again after about 15 and 45 seconds, give or take 15, so that what failed together does not come back together.
"""


def worth_another_try(error: Exception, run_tags: Mapping[str, str]) -> bool:
    """True where a step that failed should be tried again by Dagster: what may pass, and what nobody foresaw.

    Steps of a command are not: the person who waits for it is told at once, and everything else goes on meanwhile.
    Only what another writer was faster with is tried again there too, because then it is kept as the other made it.
    """
    if ATTENDED in run_tags:
        return isinstance(error, ConflictError)
    return isinstance(error, RetryableError) or not isinstance(error, MinemapError)
