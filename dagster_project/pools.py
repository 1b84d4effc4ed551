"""Waiting for a pool before a step is begun, where Dagster's own waiting inside a run keeps a core busy without a word.

Its in-process executor asks again without a pause while it waits for a slot (dagster 1.13.27: the interval to the next
question is never above zero).
"""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from dagster import DagsterInstance

from dagster_project.run_locks import close_orphans, told_of
from minemap_assets.lake.locks import Wait
from minemap_assets.lake.store import Patience
from minemap_assets.lake.workspaces import taken


@contextmanager
def pool_turn(instance: DagsterInstance, pools: Collection[str], patience: Patience, work: str = "") -> Iterator[None]:
    """Around a step: begins when every pool that it needs has a slot to give. Others are told of the `work` meanwhile.

    Processes of this command line take turns where a pool has one slot; for others, such as the daemon's, it is asked
    now and then. Raises `BusyError` after a time.
    """
    folder = Path(instance.root_directory) / "pools"
    with ExitStack() as stack:
        for pool in sorted(pools):
            wait = Wait(f"the pool {pool}", patience.seconds, partial(_tell, patience, pool))
            if instance.event_log_storage.get_concurrency_info(pool).limit == 1:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(taken(folder, pool, wait, work))
            while runs := _in_the_way(instance, pool):
                if not close_orphans(instance):
                    wait.once_more(told_of(instance, sorted(runs)[0]))
        yield


def _tell(patience: Patience, pool: str, who: str) -> None:
    patience.waiting(f"{who}{' and' if ', which ' in who else ', which'} holds the pool {pool}")


def _in_the_way(instance: DagsterInstance, pool: str) -> set[str]:
    """Runs that hold all slots of a pool; none where one is free."""
    info = instance.event_log_storage.get_concurrency_info(pool)
    full = info.limit is not None and len(info.claimed_slots) >= info.limit
    return {slot.run_id for slot in info.claimed_slots} if full else set()
