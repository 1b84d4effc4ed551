"""What tests of plans share: sites without imagery, and a source that somebody adds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from dagster_project.registry import SOURCES, Registry
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.imagery.costs import KNOWN, Cost, CostModel, FetchRequest
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest
from minemap_assets.imagery.source_kind import AccessAnswer, AccessCheck, SourceFacts, SourceKind, Terms
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.sites.assets import SITES
from tiny import Chain


def made_sites(chain: Chain) -> Chain:
    """The chain with its sites made, in no run of Dagster's."""
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    states = PartitionStates(graph, project)
    scope = Scope(graph.closure([SITES], upstream=True), tuple(project.active_regions()), ())
    for step in graph.steps(scope):
        for asset in step.assets:
            states.make(asset, step.keys)
    return chain


def sites_in(project: Project, region: str) -> int:
    return len(read_geoparquet(project.lake.open(PartitionRef("sites", "sites", (region,))).file("sites.parquet")))


class AddedSource(ImagerySource):
    """A source that somebody adds: it has nothing, everywhere."""

    def __init__(self, product: str) -> None:
        super().__init__("added", product, "1")

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        raise NotImplementedError

    def available(self, area: BaseGeometry, season: Season) -> Availability:  # noqa: ARG002
        return Availability(0, 0.0)

    def latest(self) -> Latest:
        return Latest()


@dataclass(frozen=True)
class AddedCosts:
    """Seven requests a site."""

    name: str = "added"

    def serves(self, grid: GeoBox, season: Season) -> bool:  # noqa: ARG002
        return True

    def cost(self, request: FetchRequest) -> Cost:
        return Cost(site_years=len(request.grids), requests=7 * len(request.grids), basis=frozenset({KNOWN}))


def _costs(_: Project, __: str, ___: ImagerySource | None) -> CostModel:
    return AddedCosts()


WITHOUT_COSTS = SourceKind(
    name="added",
    products=("planet-nicfi",),
    open=lambda _, product: AddedSource(product),
    revision=lambda _, __: "1",
    facts=SourceFacts("all years", "all land", "none at all"),
    access=AccessCheck(
        credentials=lambda _: "none needed",
        check=lambda _, product: AccessAnswer(f"{product} at hand"),
        terms=lambda _, __: (Terms("ours", True),),
    ),
)
WITH_COSTS = replace(WITHOUT_COSTS, cost_model=_costs)


def registry_with(kind: SourceKind) -> Registry:
    """Everything there is, and one more source."""
    return Registry(sources=(*SOURCES, kind))
