"""A kind of source: everything the project knows of it, stated once, in its own package.

A project is put together with kinds (`dagster_project/registry.py`) and finds them here by the names that its settings
give. Callables of a kind import what they need when they are called.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from pydantic import BaseModel
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.costs import CostModel
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.messages import suggestion
from minemap_assets.net.policy import ClientPolicy
from minemap_assets.project.project import Project
from minemap_assets.project.settings import SETTINGS_PATH

SINGLE_ATTEMPT = ClientPolicy(attempts=1, timeout=10.0, deadline=20.0)
"""For checks of access, which are not worth repeating."""


@dataclass(frozen=True, order=True)
class Terms:
    """Terms of use of pixels, and whether they allow passing them on."""

    text: str
    redistributable: bool

    def __str__(self) -> str:
        return f"{self.text} ({'may be passed on' if self.redistributable else 'pixels must not be passed on'})"


@dataclass(frozen=True)
class SourceFacts:
    """A source as its documentation describes it: the years and the area it covers, and its limits."""

    years: str
    area: str
    limits: str


@dataclass(frozen=True)
class AccessAnswer:
    """What a source says of itself now: in words, and the years it holds where it tells them."""

    access: str
    years: str = ""
    works: bool = True


@dataclass(frozen=True)
class AccessCheck:
    """How to find out whether a source works here.

    `credentials` says which were found, never their value, and raises `AuthenticationError` where there are none;
    `check` asks one small question about a product; `terms` are those of its pixels under these settings.
    """

    credentials: Callable[[Project], str]
    check: Callable[[Project, str], AccessAnswer]
    terms: Callable[[Project, str], tuple[Terms, ...]]


def without_credentials(_: Project) -> str:
    """What a source says that needs none."""
    return "none needed"


MonthlyCounts = Mapping[date, float]
"""A number for each month of a season, by its first day."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceKind:
    """One kind of source.

    `name` stands in `[imagery.sources]`, `section` names its table under `[sources]` with the class `config`. Of
    `products` the first is what its access is checked for where the settings name it for none. `revision` is what an
    opened source's `revision` would be; `season_revision` changes only with what is read for a season, where the source
    can tell without opening anything (None: `revision`). `cost_model` is given the opened source where its service may
    be asked, None where everything is to be assumed. `clear_scenes` expects, from its catalogue, so many clear views of
    places (EPSG:4326) in each month of a season; None where it cannot tell for that product.

    `keeps_fetched`: what one partition fetched costs nothing when another one needs it. `transfer_varies`: how much has
    to be fetched for a site is measured better than assumed.
    """

    name: str
    products: tuple[str, ...]
    open: Callable[[Project, str], ImagerySource]
    revision: Callable[[Project, str], str]
    facts: SourceFacts
    access: AccessCheck
    section: str = ""
    config: type[BaseModel] | None = None
    season_revision: Callable[[Project, str, Season], str] | None = None
    cost_model: Callable[[Project, str, ImagerySource | None], CostModel] | None = None
    clear_scenes: Callable[[Project, str, Sequence[BaseGeometry], Season], MonthlyCounts | None] | None = None
    keeps_fetched: bool = False
    transfer_varies: bool = False


def kinds(project: Project) -> Mapping[str, SourceKind]:
    """All kinds of source by name, sorted."""
    return {kind.name: kind for kind in sorted(project.extensions(SourceKind), key=lambda kind: kind.name)}


def kind_named(project: Project, name: str) -> SourceKind:
    """The kind of that name. Raises `BadInputError` for an unknown one."""
    known = kinds(project)
    if name not in known:
        raise BadInputError(f"unknown source {name!r}{suggestion(name, known)}; the sources are {', '.join(known)}")
    return known[name]


def kinds_of(project: Project, product: str) -> tuple[SourceKind, ...]:
    """The product's kinds, in the order in which they may stand in for each other. Raises `BadInputError`."""
    names = project.section(ImageryConfig).sources.get(product, ())
    if not names:
        raise BadInputError(f"no source is set for {product}; name one in {SETTINGS_PATH} under [imagery.sources]")
    return tuple(kind_named(project, name) for name in names)


def open_sources(project: Project, product: str) -> tuple[ImagerySource, ...]:
    """The product's sources, in the order in which they may stand in for each other. Raises `BadInputError`."""
    return tuple(kind.open(project, product) for kind in kinds_of(project, product))


def revisions(project: Project, product: str, season: Season) -> list[list[str]]:
    """Name and revision, for a season, of each of the product's sources, in their order; none is opened.

    Raises `BadInputError`.
    """
    return [list(one) for one in project.cached(partial(_revisions, product, season))]


def _revisions(product: str, season: Season, project: Project) -> tuple[tuple[str, str], ...]:
    return tuple((kind.name, _revision(kind, project, product, season)) for kind in kinds_of(project, product))


def _revision(kind: SourceKind, project: Project, product: str, season: Season) -> str:
    if kind.season_revision is None:
        return kind.revision(project, product)
    return kind.season_revision(project, product, season)


def check_sources(project: Project) -> None:
    """Raises `BadInputError` for a name in `[imagery.sources]` that is no source."""
    known = kinds(project)
    for product, names in project.section(ImageryConfig).sources.items():
        for name in names:
            if name not in known:
                raise BadInputError(
                    f"{project.where}: [imagery.sources] {product}: unknown source {name!r}{suggestion(name, known)}; "
                    f"the sources are {', '.join(known)}"
                )
