"""Whether each source works for this project: credentials, access, what it covers, limits and terms of use.

A report never holds a credential: it says which variable or kind of credential was found, and nothing of its value.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from minemap_assets.errors import AuthenticationError, MinemapError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.source_kind import AccessAnswer, SourceKind, Terms
from minemap_assets.project.project import Project

RunCheck = Callable[[Callable[[], AccessAnswer]], AccessAnswer]
"""Runs a check, under a deadline for example."""


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


def report_source(
    kind: SourceKind, project: Project, run: RunCheck, wanted: Collection[str] | None = None
) -> SourceReport:
    """What is to be said of a source, of its `wanted` products where some are given; `run` runs its checks.

    Errors become its `access`.
    """
    named = (p for p, names in project.section(ImageryConfig).sources.items() if kind.name in names)
    products = tuple(p for p in named if wanted is None or p in wanted)
    asked = products or kind.products[:1]
    try:
        credentials = kind.access.credentials(project)
        answers = [_answer(kind, project, product, run) for product in asked]
    except AuthenticationError as error:
        credentials, answers = "none found", [AccessAnswer(str(error), works=False)]
    access = "; ".join(dict.fromkeys(answer.access for answer in answers))
    facts = kind.facts
    years = ", ".join(dict.fromkeys(answer.years for answer in answers if answer.years)) or facts.years
    terms = tuple(sorted({t for p in asked for t in _terms(kind, project, p)}))
    works = any(answer.works for answer in answers)
    return SourceReport(kind.name, products, credentials, works, access, f"{years}; {facts.area}", facts.limits, terms)


def _answer(kind: SourceKind, project: Project, product: str, run: RunCheck) -> AccessAnswer:
    try:
        return run(lambda: kind.access.check(project, product))
    except MinemapError as error:
        return AccessAnswer(str(error), works=False)
    except Exception as error:  # a fault in one source must not hide the others, nor show what it holds
        return AccessAnswer(f"it failed unexpectedly ({type(error).__name__})", works=False)


def _terms(kind: SourceKind, project: Project, product: str) -> tuple[Terms, ...]:
    try:
        return kind.access.terms(project, product)
    except MinemapError:
        return ()
