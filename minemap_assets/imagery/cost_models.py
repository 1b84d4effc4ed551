"""The cost models of a product's sources, and what some grids cost by them.

A source's service is asked for what it has where the caller says how long that may take; one that does not answer is
not asked again, and its figures are assumed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.costs import Cost, CostModel, FetchRequest, share_out
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.requests import imagery_grid
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import SourceKind, kind_named
from minemap_assets.project.project import Project

T = TypeVar("T")


class RunQuery(Protocol):
    """Runs a query to a service."""

    def __call__(self, query: Callable[[], T], /) -> T:
        """What the query returns; raises what it raises, and `RetryableError` where that takes too long."""


def without_deadline(query: Callable[[], T], /) -> T:
    """Run a query, and wait as long as the source itself does."""
    return query()


@dataclass(frozen=True)
class FallbackCostModel:
    """The model of one source that queries its service, until that does not answer: then the one that assumes.

    `unreachable` has the reason for each source that did not answer; models share it, so that none is asked twice.
    """

    queried: CostModel
    assumed: CostModel
    query: RunQuery
    unreachable: dict[str, str]

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.assumed.name

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """Whether it has, or should have, images of that place and season."""
        return self._answer(lambda model: model.serves(grid, season))

    def cost(self, request: FetchRequest) -> Cost:
        """What a request needs."""
        return self._answer(lambda model: model.cost(request))

    def _answer(self, question: Callable[[CostModel], T]) -> T:
        if self.name not in self.unreachable:
            try:
                return self.query(lambda: question(self.queried))
            except BadInputError:
                raise
            except MinemapError as error:
                self.unreachable[self.name] = str(error)
        return question(self.assumed)


def cost_models(
    project: Project, product: str, query: RunQuery | None = None, unreachable: dict[str, str] | None = None
) -> tuple[CostModel, ...]:
    """The cost models of a product's sources, in their order. With `query` their services are asked, but for those that
    were `unreachable` before. Raises `BadInputError` for a source that states no cost.
    """
    names = project.section(ImageryConfig).sources.get(product, ())
    chosen = [kind_named(project, name) for name in names]
    assumed = [_model(kind, project, product, None) for kind in chosen]
    if query is None:
        return tuple(assumed)
    known: dict[str, str] = {} if unreachable is None else unreachable
    queried = [_model(kind, project, product, kind.open(project, product)) for kind in chosen]
    return tuple(FallbackCostModel(q, a, query, known) for q, a in zip(queried, assumed, strict=True))


def _model(kind: SourceKind, project: Project, product: str, source: ImagerySource | None) -> CostModel:
    if kind.cost_model is None:
        raise BadInputError(
            f"the source {kind.name} states no cost, so {product} can neither be estimated nor held to a budget; name "
            "other sources for it under [imagery.sources], or fetch without [imagery.budget]"
        )
    return kind.cost_model(project, product, source)


@dataclass(frozen=True)
class SharedCosts:
    """What each source is asked for, by its name, and the number of grids that no source has."""

    costs: Mapping[str, Cost]
    unserved: int


def costs_by_source(
    models: Sequence[CostModel], product: str, season: Season, bands: tuple[str, ...], grids: Sequence[GeoBox]
) -> SharedCosts:
    """The cost of imaging site grids, each by the first source that should have it."""
    resolution = known_product(product).resolution
    shares = share_out(models, [imagery_grid(grid, resolution) for grid in grids], season)
    costs = {model.name: model.cost(FetchRequest(product, season, bands, served)) for model, served in shares}
    return SharedCosts(costs, len(grids) - sum(len(served) for _, served in shares))
