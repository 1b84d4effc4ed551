"""Which step comes next when several are made side by side: never before its inputs, never past a pool's room.

Of several that might begin, the one is taken behind which the longest way lies to the end of the run.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from minemap_assets.graph.graph import Graph, Step
from minemap_assets.graph.routing import ACCELERATOR, wants_accelerator
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project


@dataclass(frozen=True)
class Task:
    """A piece of work: the numbers of those that come `after` nothing but before it, and the seconds it may take.

    Tasks are known by their place in a sequence; a task comes after others of lower numbers only.
    """

    after: frozenset[int] = frozenset()
    seconds: float = 1.0


class Schedule:
    """The tasks of one run on their way: each is closed, then open, then queued and begun (or not), and over.

    `limits` is the room of each pool; a pool that is not named has room for all.
    """

    def __init__(self, tasks: Sequence[Task], limits: Mapping[str, int]) -> None:
        self._limits = dict(limits)
        self._missing = [set(task.after) for task in tasks]
        self._behind: list[list[int]] = [[] for _ in tasks]
        for number, task in enumerate(tasks):
            for before in task.after:
                if before >= number:
                    raise ValueError(f"task {number} comes after {before}, which is not before it")
                self._behind[before].append(number)
        self._way = _ways(tasks, self._behind)
        self._open = [number for number, missing in enumerate(self._missing) if not missing]
        self._queues: dict[frozenset[str], list[tuple[float, int]]] = {}
        self._begun: dict[int, frozenset[str]] = {}
        self._used: Counter[str] = Counter()
        self._left = len(tasks)

    @property
    def done(self) -> bool:
        """Whether everything is over."""
        return self._left == 0

    def opened(self) -> list[int]:
        """Tasks of which all that comes before is over by now; each is told once, the longest way first."""
        found, self._open = sorted(self._open, key=self._order), []
        return found

    def queue(self, number: int, pools: Collection[str]) -> None:
        """An open task is to be begun as soon as these pools have room for it."""
        heappush(self._queues.setdefault(frozenset(pools), []), self._order(number))

    def begin(self) -> int | None:
        """The queued task that is begun now; None where none can be."""
        fits = [(queue[0], pools) for pools, queue in self._queues.items() if queue and self._have_room(pools)]
        if not fits:
            return None
        _, pools = min(fits, key=lambda one: one[0])
        _, number = heappop(self._queues[pools])
        self._begun[number] = pools
        self._used.update(pools)
        return number

    def again(self, number: int) -> None:
        """A task that was begun came to nothing, and is queued once more."""
        self.queue(number, self._give_back(number))

    def over(self, number: int) -> None:
        """A task that was opened or begun is over, however it came out."""
        self._give_back(number)
        self._left -= 1
        for one in self._behind[number]:
            self._missing[one].discard(number)
            if not self._missing[one]:
                self._open.append(one)

    def _have_room(self, pools: Collection[str]) -> bool:
        return all(self._used[pool] < self._limits.get(pool, self._used[pool] + 1) for pool in pools)

    def _give_back(self, number: int) -> frozenset[str]:
        pools = self._begun.pop(number, frozenset())
        self._used.subtract(pools)
        return pools

    def _order(self, number: int) -> tuple[float, int]:
        return -self._way[number], number


def _ways(tasks: Sequence[Task], behind: Sequence[Sequence[int]]) -> list[float]:
    """Seconds from the beginning of each task to the end of the last that hangs on it."""
    ways = [0.0] * len(tasks)
    for number in reversed(range(len(tasks))):
        ways[number] = tasks[number].seconds + max((ways[one] for one in behind[number]), default=0.0)
    return ways


def tasks_of(
    graph: Graph,
    project: Project,
    steps: Sequence[Step],
    seconds: Mapping[Asset, float],
    waits: Mapping[Step, Collection[Step]],
) -> list[Task]:
    """The steps of a run as tasks: each after all that it reads, needs or follows, and after what it `waits` for."""
    maker: dict[PartitionRef, int] = {ref: number for number, step in enumerate(steps) for ref in step.refs}
    numbers = {step: number for number, step in enumerate(steps)}
    tasks = []
    for number, step in enumerate(steps):
        after = {maker[ref] for ref in _before(graph, project, step) if ref in maker} - {number}
        after |= {numbers[one] for one in waits.get(step, ())}
        tasks.append(Task(frozenset(after), sum(seconds.get(asset, 1.0) for asset in step.assets)))
    return tasks


def _before(graph: Graph, project: Project, step: Step) -> set[PartitionRef]:
    """Partitions that come before a step, needed or not, also those that are lineage only."""
    return {
        upstream.ref(keys)
        for asset in step.assets
        for dep, upstream in graph.upstream(asset)
        for keys in dep.mapping.keys(project, upstream.partitions, asset.partitions, step.keys)
    }


def pools_of(assets: Collection[Asset]) -> set[str]:
    """The pools that assets use while they are made; the accelerator of this machine is one of them."""
    pools = {asset.pool for asset in assets if asset.pool is not None}
    return pools | ({ACCELERATOR} if any(wants_accelerator(asset.op_tags) for asset in assets) else set())
