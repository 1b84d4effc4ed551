"""What a project has registered: its catalogue, read once, and the names that follow from it."""

from minemap_assets.errors import BadInputError
from minemap_assets.project.project import Project
from minemap_assets.reference.catalogue import CATALOGUE_PATH, Catalogue, ReferenceEntry, parse_catalogue
from minemap_assets.reference.published_sets import is_fetched

PROMOTED_SITES_PATH = "inputs/promoted_sites.geojson"
"""Outlines that a person added as sites."""

DEFAULT_POLYGON_SETS = ("maus_2022", "tang_werner_2023")
"""The paper's two sets; named in the graph until a project registers its own."""


def catalogue(project: Project) -> Catalogue:
    """The registered reference files."""
    return project.cached(_read)


def _read(project: Project) -> Catalogue:
    return project.parsed(CATALOGUE_PATH, lambda data: parse_catalogue(data, project.lake.store.root))


def is_registered(project: Project, name: str) -> bool:
    """True for a file of the catalogue."""
    return any(entry.name == name for entry in catalogue(project).entries)


def polygon_sets(project: Project) -> tuple[str, ...]:
    """Names of the polygon sets in the asset graph; none are needed where a person promoted outlines to sites."""
    names = tuple(e.name for e in catalogue(project).entries if e.kind == "polygons")
    promoted = project.input(PROMOTED_SITES_PATH) is not None
    return names or (() if promoted else DEFAULT_POLYGON_SETS)


def series_entries(project: Project) -> tuple[ReferenceEntry, ...]:
    """Yearly polygons that were made elsewhere."""
    return tuple(entry for entry in catalogue(project).entries if entry.kind == "series")


def series_asset(name: str) -> str:
    """The name of the asset that a series becomes."""
    return f"series_{name}"


def has_labels(project: Project) -> bool:
    """Whether any polygon set counts as truth; one that the graph names before it is registered does."""
    roles = {entry.name: entry.role for entry in catalogue(project).entries}
    return any(roles.get(name, "labels") == "labels" for name in polygon_sets(project))


def reference_entry(project: Project, name: str) -> ReferenceEntry:
    """A registered reference file. Raises `BadInputError` where it is missing."""
    for entry in catalogue(project).entries:
        if entry.name == name:
            return entry
    fetched = f"fetch the published one with `minemap reference fetch {name}`, or " if is_fetched(name) else ""
    raise BadInputError(
        f"the reference file {name!r} is not registered; {fetched}register one with `minemap reference add {name} "
        "FILE --licence LICENCE`"
    )
