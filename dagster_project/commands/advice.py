"""What a person should be told though nothing failed: what a project still lacks, and regions without sites."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dagster_project.commands.context import Session, console, counted
from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    from minemap_assets.project.project import Project

SITES_WANTED = (
    "register polygons that reach into it with `minemap reference add`, or add outlines with `minemap sites promote`"
)


def next_steps(project: "Project") -> list[str]:
    """What to do before `minemap run` has everything, in order; the last step is the run itself."""
    from minemap_assets.reference.registered import catalogue, polygon_sets

    registered = {entry.name for entry in catalogue(project).entries}
    steps = []
    if not project.active_regions():
        steps.append("Say what to map: `minemap regions add SLUG FILE`, with any vector file of polygons.")
    known = [name for name in polygon_sets(project) if name in registered]
    lacking = ([] if known else ["NAME"]) + ([] if "country_boundaries" in registered else ["country_boundaries"])
    if lacking:
        what = {2: "known mines and country borders", 1: "country borders" if known else "known mines"}[len(lacking)]
        sets = [f"`minemap reference fetch {name}`" for name in _published(lacking)]
        one = (
            "takes the published one by its address" if len(sets) == 1 else "take the published ones by their addresses"
        )
        steps.append(
            f"Register {what}: {' and '.join(sets)} {one}; your own go in with "
            "`minemap reference add NAME FILE --licence LICENCE`."
        )
    if _lacks_images(project):
        return [
            *steps,
            "Add your images with `minemap archive index FOLDER`, or name another source (`minemap sources` says which "
            "there are) under [imagery.sources] of the settings; then `minemap run`.",
        ]
    years = _years_of(project)
    return [*steps, f"`minemap doctor{years}` says what would fail or disappoint; then `minemap run{years}`."]


def _published(lacking: Iterable[str]) -> list[str]:
    """Data sets that can be fetched for what a project lacks; `NAME` stands for polygons of mines."""
    from minemap_assets.reference.published_sets import DATASETS
    from minemap_assets.reference.registered import DEFAULT_POLYGON_SETS

    mines = [name for name in DEFAULT_POLYGON_SETS if name in DATASETS]
    return [one for name in lacking for one in (mines if name == "NAME" else [name])]


def _lacks_images(project: "Project") -> bool:
    """True where a product of the project's rule comes from the person's own files only, and there are none."""
    from minemap_assets.imagery.config import ImageryConfig
    from minemap_assets.imagery.sources.archive.catalogue import read_roots
    from minemap_assets.imagery.sources.archive.kind import ARCHIVE

    config = project.section(ImageryConfig)
    sources = [config.sources.get(period.product, ()) for period in config.products]
    return not read_roots(project) and any(set(names) <= {ARCHIVE.name} for names in sources)


def _years_of(project: "Project") -> str:
    """The option that names the years which the project's rule has a product for; empty where that is every year."""
    from minemap_assets.imagery.config import ImageryConfig
    from minemap_assets.planning.image_facts import years_text

    closed = list(project.closed_years())
    periods = project.section(ImageryConfig).products
    served = [year for year in closed if any(period.covers(year) for period in periods)]
    return "" if served == closed or not served else f" --years {years_text(served)}"


def say_next_steps(session: Session) -> None:
    """Print the steps, numbered."""
    project = session.project
    active = len(project.active_regions())
    has = f"has {counted(active, 'region')}" if active else "has no region yet"
    console.print(f"The project at {project.lake.store.root} {has}. Next:", markup=False, soft_wrap=True)
    for number, step in enumerate(next_steps(project), start=1):
        console.print(f"  {number}. {step}", markup=False, soft_wrap=True)


def site_notes(session: Session, regions: Iterable[str]) -> Iterator[str]:
    """A sentence for each region whose sites are made and which has none."""
    from minemap_assets.sites.assets import SITES

    for slug in regions:
        manifest = session.states.manifest(SITES.ref((slug,)))
        if manifest is not None and manifest.summary.get("sites") == 0:
            yield f"region {slug} has no sites, so nothing is mapped there: no known mine lies in it; {SITES_WANTED}"


def check_pilot(session: Session, regions: Iterable[str]) -> None:
    """Refuse a pilot that would take away sites which are made. Raises `BadInputError`."""
    from minemap_assets.sites.assets import SITES

    for slug in regions:
        manifest = session.states.manifest(SITES.ref((slug,)))
        made = 0 if manifest is None else int(manifest.summary.get("sites", 0))
        sample = session.project.sample
        if sample is not None and made > sample:
            raise BadInputError(
                f"--sample: region {slug} has {made} sites already, and a pilot on {sample} would take the "
                "others away; leave --sample out, or run the pilot with another MINEMAP_HOME and MINEMAP_STATE"
            )
