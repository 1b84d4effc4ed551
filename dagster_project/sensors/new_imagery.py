"""The sensor `new_imagery`: what sources have, and the lake is not made from, is asked for.

Whether a partition is made from what a source says now is not told by what was asked for, but by the partition itself:
corrections are counted first (`imagery/arrivals.py`), and then it is current or not. So a run that died is asked for
again, and over a current lake nothing is. A year of which every region was current is not looked at again until its
revision or the regions change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum

import dagster as dg

from dagster_project.sensors.open_season import OpenSeason
from dagster_project.sensors.polling import Deadline, Memory, poll, remembering, with_answers
from dagster_project.sensors.requests import Loaded, UnderWay, attempts, imagery_request, loaded, under_way
from dagster_project.sensors.switch import on_or_off
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.statement import Room
from minemap_assets.imagery.arrivals import Channel, change_arrivals, grows_daily, season_name
from minemap_assets.imagery.assets import COMPOSITES, IMAGERY_UPDATE
from minemap_assets.imagery.rules import product_of, season_of, season_rule
from minemap_assets.lake.manifests import PartitionRef, digest
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.regions import Region

TICK_PAUSE_SECONDS = 300


class Phase(Enum):
    """Where a season is."""

    RUNNING = "running"
    OVER = "over"


@dataclass(frozen=True)
class Group:
    """The regions for which one channel has images of one year, in seasons that are in the same phase."""

    channel: Channel
    year: int
    revision: str
    phase: Phase
    regions: tuple[str, ...]

    @property
    def place(self) -> str:
        """Its name, by which groups are in order."""
        return f"{self.channel.key}/{self.year}"

    @property
    def mark(self) -> str:
        """Changes when every region has to be looked at again."""
        return digest([self.revision, self.phase.value, self.regions])[:16]

    @property
    def by_the_day(self) -> bool:
        """Whether a season goes on to which images are added day by day, so that a new one is no reason by itself."""
        return self.phase is Phase.RUNNING and grows_daily(self.revision)

    def is_wanted(self, project: Project) -> bool:
        """False for a season that goes on where the settings leave such seasons alone."""
        return self.phase is Phase.OVER or project.section(OperationsConfig).open_year_observations > 0


def groups(
    project: Project, regions: Mapping[str, Region], revisions: Mapping[Channel, Mapping[int, str]], today: date
) -> Iterator[Group]:
    """What channels have of seasons that have begun, for regions of which their product serves that year.

    A season that is over while its service has not yet stated its end is left for the next day.
    """
    for channel, years in revisions.items():
        served = {slug: r for slug, r in regions.items() if season_name(season_rule(r)) == channel.season}
        for year, revision in sorted(years.items()):
            if not project.first_year <= year <= (project.last_year or year):
                continue
            mine = [s for s, region in served.items() if product_of(project, region, year) == channel.product]
            begun = [slug for slug in mine if season_of(served[slug], year).start <= today]
            if not begun:
                continue
            over = season_of(served[begun[0]], year).end <= today
            if not (over and grows_daily(revision)):
                yield Group(channel, year, revision, Phase.OVER if over else Phase.RUNNING, tuple(begun))


@dataclass
class Look:
    """One tick's look at groups: which partitions to ask for, and what to remember."""

    context: dg.SensorEvaluationContext
    project: Project
    graph: Graph
    states: PartitionStates
    work: UnderWay
    loaded: Loaded
    now: datetime
    deadline: Deadline
    memory: Memory
    requests: dict[PartitionRef, dg.RunRequest] = field(default_factory=dict)

    def at(self, every: Sequence[Group]) -> Memory:
        """Look at groups, beginning where the last tick stopped; returns what to remember."""
        settled = {key: dict(years) for key, years in self.memory.settled.items()}
        begin = next((n for n, group in enumerate(every) if group.place >= self.memory.place), 0)
        place = ""
        for group in (*every[begin:], *every[:begin]):
            years = settled.setdefault(group.channel.key, {})
            if years.get(group.year) == group.mark:
                continue
            if not self._is_full and self._look(group):
                years[group.year] = group.mark
            else:
                years.pop(group.year, None)
            if self._is_full:
                place = group.place
                break
        return self.memory.model_copy(update={"settled": settled, "place": place})

    @property
    def _is_full(self) -> bool:
        most = self.project.section(OperationsConfig).requests_at_once
        return self.deadline.is_over() or self.work.asked + len(self.requests) >= most

    def _look(self, group: Group) -> bool:
        """Ask for what of a group is not current; True where everything was looked at and is."""
        current = True
        season = OpenSeason.of(self.project, self.memory, group.channel, group.year, self.now.date())
        for slug in group.regions:
            ref = COMPOSITES.ref((slug, str(group.year)))
            if self._is_full:
                return False
            if self.states.state(COMPOSITES, ref.keys) is PartitionState.CURRENT:
                continue
            current = False
            if self._may_ask(ref) and not (group.by_the_day and not season.has_enough(self.context.log, slug)):
                self._ask(group, ref)
        if group.by_the_day:
            self.memory = season.remembered(self.memory)
        return current

    def _may_ask(self, ref: PartitionRef) -> bool:
        """Whether the partition exists here, nobody makes it at the moment, and what it is made from is there."""
        if ref in self.requests or ref in self.work.making or not self.loaded.has(self.graph, ref):
            return False
        inputs = (self.states.manifest(one) for one in self.graph.needs(COMPOSITES, ref.keys))
        return all(manifest is not None and not manifest.rejected for manifest in inputs)

    def _ask(self, group: Group, ref: PartitionRef) -> None:
        slug, year = ref.keys
        cause = f"{group.channel.source}-{group.revision[:16]}".replace(" ", "-")
        config = self.project.section(OperationsConfig)
        before = attempts(self.context.instance, ref, config, self.now, cause)
        if not before.rests:
            self.requests[ref] = imagery_request(self.project, slug, int(year), cause, before.last)


def ask_for_imagery(
    context: dg.SensorEvaluationContext, home: ProjectHome, rooms: Sequence[Room], now: datetime
) -> dg.SensorResult:
    """One tick at a moment: ask sources whose time has come, count corrections, and ask for what is not current."""
    deadline, project = Deadline(), home.open()
    memory = remembering(Memory.of(context.cursor), project, now)
    polled = poll(project, memory.waiting, deadline)
    for channel, reason in sorted(polled.found.failures.items()):
        context.log.warning("%s could not be asked, and is asked again later: %s", channel.key, reason)
    memory = with_answers(memory, polled)
    there = loaded(context)
    regions = {slug: region for slug, region in project.active_regions().items() if slug in there.regions}
    found = groups(project, regions, memory.revisions, now.date())
    every = sorted((group for group in found if group.is_wanted(project)), key=lambda group: group.place)
    asked = [group for group in every if group.channel in polled.found.revisions and not group.by_the_day]
    change_arrivals(
        project.lake.store,
        lambda known: known.with_poll(polled.found, [(group.channel, group.year) for group in asked]),
    )
    project = home.open()  # with what was just counted
    graph = Graph(rooms, project)
    work = under_way(context.instance, graph, now)
    look = Look(context, project, graph, PartitionStates(graph, project), work, there, now, deadline, memory)
    memory = look.at(every)
    return dg.SensorResult(run_requests=list(look.requests.values()), cursor=memory.cursor)


def new_imagery(rooms: Sequence[Room], status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor, turned on or off until somebody says otherwise in the UI."""

    @dg.sensor(
        name="new_imagery",
        job_name=IMAGERY_UPDATE.name,
        minimum_interval_seconds=TICK_PAUSE_SECONDS,
        default_status=status,
        description="Asks the sources every hour, or as [operations] poll_minutes says, and fetches images that the "
        f"lake is not made from: new ones, corrected ones, and those of a run that died{on_or_off(status)}.",
    )
    def _new_imagery(context: dg.SensorEvaluationContext, home: dg.ResourceParam[ProjectHome]) -> dg.SensorResult:
        return ask_for_imagery(context, home, rooms, datetime.now(UTC))

    return _new_imagery
