"""Whether each source works for this project: credentials, access, what it covers, limits and terms of use.

What belongs here: asking each source one small question. What does not: waiting and showing (`cli/`), and what
documentation says (`imagery/source_facts.py`).

A report never holds a credential: it says which variable or kind of credential was found, and nothing of its value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from minemap_assets.errors import AuthenticationError, BadInputError, MinemapError, NotEntitledError, RetryableError
from minemap_assets.imagery.source import Latest
from minemap_assets.net.policy import Discipline
from minemap_assets.planning.source_facts import FACTS, Terms, earth_engine_terms, planet_terms, stac_terms
from minemap_assets.project.project import Project

HASTY = Discipline(attempts=1, timeout=10.0, deadline=20.0)
"""A question that is not worth repeating."""


@dataclass(frozen=True)
class SourceReport:
    """One source: `access` says in words what it answered, or why it does not work."""

    name: str
    products: tuple[str, ...]
    credentials: str
    works: bool
    access: str
    covers: str
    limits: str
    terms: tuple[Terms, ...]


@dataclass(frozen=True)
class Answer:
    """What a source says of itself now."""

    access: str
    years: str = ""
    works: bool = True


@dataclass(frozen=True)
class Probe:
    """How one source is asked: what credentials it finds (raises where there are none), what it answers, its terms."""

    credentials: Callable[[Project], str]
    ask: Callable[[Project, str], Answer]
    terms: Callable[[Project, str], tuple[Terms, ...]]


def report_source(name: str, project: Project, within: Callable[[Callable[[], Answer]], Answer]) -> SourceReport:
    """What is to be said of a source; `within` runs a question under a deadline. Errors become its `access`."""
    products = tuple(p for p, names in project.settings.imagery.sources.items() if name in names)
    probe, facts = PROBES[name], FACTS[name]
    asked = products or (_PRODUCT_OF[name],)
    try:
        credentials = probe.credentials(project)
        answers = [_ask(probe, project, product, within) for product in asked]
    except AuthenticationError as error:
        credentials, answers = "none found", [Answer(str(error), works=False)]
    access = "; ".join(dict.fromkeys(answer.access for answer in answers))
    years = ", ".join(dict.fromkeys(answer.years for answer in answers if answer.years)) or facts.years
    terms = tuple(sorted({t for p in asked for t in _terms(probe, project, p)}))
    works = any(answer.works for answer in answers)
    return SourceReport(name, products, credentials, works, access, f"{years}; {facts.area}", facts.limits, terms)


def _ask(probe: Probe, project: Project, product: str, within: Callable[[Callable[[], Answer]], Answer]) -> Answer:
    def question() -> Answer:
        return probe.ask(project, product)

    try:
        return within(question)
    except MinemapError as error:
        return Answer(str(error), works=False)
    except Exception as error:  # a fault in one source must not hide the others, nor show what it holds
        return Answer(f"it failed unexpectedly ({type(error).__name__})", works=False)


def _terms(probe: Probe, project: Project, product: str) -> tuple[Terms, ...]:
    try:
        return probe.terms(project, product)
    except MinemapError:
        return ()


def _none_needed(_: Project) -> str:
    return "none needed"


def _years(latest: Latest) -> str:
    years = sorted(latest.revisions)
    return f"{years[0]} to {years[-1]}" if years else ""


def _archive(project: Project, product: str) -> Answer:
    from minemap_assets.imagery.sources.archive.catalogue import open_archive, read_archives

    archives = read_archives(project.lake.store)
    if not archives:
        raise BadInputError("no archive yet; `minemap archive index FOLDER` adds one")
    gone = [a.name for a in archives if "://" not in a.root and not Path(a.root).is_dir()]
    if gone:
        raise BadInputError(
            f"the folder of {', '.join(gone)} is gone; mount it, or forget the archive with `minemap archive remove`"
        )
    images = sum(i.product == product for a in archives for i in a.images)
    return Answer(f"{images} images of {product} indexed", _years(open_archive(product, project.lake.store).latest()))


def _archive_terms(project: Project, product: str) -> tuple[Terms, ...]:
    from minemap_assets.imagery.sources.archive.catalogue import read_archives

    images = [i for a in read_archives(project.lake.store) for i in a.images if i.product == product]
    return tuple({Terms(i.terms or "terms unknown", i.redistributable) for i in images})


def _simulated(project: Project, _: str) -> Answer:
    from minemap_assets.simulation.world import load_world

    world = load_world(project.settings.sources.simulated.world)
    return Answer("works", f"{min(world.years)} to {max(world.years)}")


def _simulated_terms(_: Project, __: str) -> tuple[Terms, ...]:
    return (Terms("simulated, free of any rights", True),)


def _planet_account(_: Project) -> str:
    from minemap_assets.imagery.sources.planet.credentials import describe_credentials

    return describe_credentials()


def _planet(project: Project, _: str) -> Answer:
    from minemap_assets.imagery.sources.planet.client import PlanetClient

    mosaics = PlanetClient(project.settings.sources.planet_basemaps, HASTY).mosaics()
    if not mosaics:
        raise NotEntitledError(
            "the credentials work, but the account sees none of the mosaics that are meant; ask for access, or name "
            "the series you have under [sources.planet_basemaps]"
        )
    closed = "" if any(m.downloadable for m in mosaics) else ", but the account may download none of them"
    last = max(m.end for m in mosaics) - timedelta(days=1)
    return Answer(f"{len(mosaics)} mosaics seen{closed}", f"{min(m.start for m in mosaics)} to {last}")


def _planet_terms(project: Project, _: str) -> tuple[Terms, ...]:
    return planet_terms(project.settings.sources.planet_basemaps)


def _stac(project: Project, product: str) -> Answer:
    from minemap_assets.imagery.sources.stac.source import StacSource

    config = project.settings.sources.stac.model_copy(update={"attempts": HASTY.attempts, "timeout": HASTY.timeout})
    if product != "sentinel-2-l2a":
        raise NotEntitledError(f"it has no {product}, only sentinel-2-l2a; name another source under [imagery.sources]")
    latest = StacSource(product, config, project.lake.state / "stac-cache").latest()
    if latest.newest is None:
        raise RetryableError("the catalogues answer, but hold no image; check the collections under [sources.stac]")
    return Answer(f"newest image of {latest.newest:%Y-%m-%d}", _years(latest))


def _stac_terms(project: Project, _: str) -> tuple[Terms, ...]:
    return stac_terms(project.settings.sources.stac)


def _earth_engine_account(project: Project) -> str:
    from minemap_assets.imagery.sources.earth_engine.credentials import find_account

    account = find_account(project.settings.sources.earth_engine)
    return f"found, charged to the project {account.project}"


def _earth_engine(project: Project, product: str) -> Answer:
    from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource

    changes = {"attempts": HASTY.attempts, "deadline": HASTY.deadline}
    config = project.settings.sources.earth_engine.model_copy(update=changes)
    found = EarthEngineSource(product, config).access()
    refused = [one for one in found if not one.granted]
    if refused:
        raise NotEntitledError(refused[0].reason)
    return Answer(f"{product} may be read")


def _earth_engine_terms(project: Project, product: str) -> tuple[Terms, ...]:
    return (earth_engine_terms(project.settings.sources.earth_engine, product),)


PROBES: dict[str, Probe] = {
    "archive": Probe(_none_needed, _archive, _archive_terms),
    "earth-engine": Probe(_earth_engine_account, _earth_engine, _earth_engine_terms),
    "planet-basemaps": Probe(_planet_account, _planet, _planet_terms),
    "simulated": Probe(_none_needed, _simulated, _simulated_terms),
    "stac": Probe(_none_needed, _stac, _stac_terms),
}
"""Every source by its name in `[imagery.sources]`."""

_PRODUCT_OF = {
    "archive": "sentinel-2-l2a",
    "earth-engine": "sentinel-2-l2a",
    "planet-basemaps": "planet-nicfi",
    "simulated": "sentinel-2-l2a",
    "stac": "sentinel-2-l2a",
}
"""What a source that no product names is asked about."""
