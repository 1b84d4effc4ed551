"""Figures that a person has accepted for publication: who, when, why, and what is compared with from then on."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import Field, ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel
from minemap_assets.publication.figures import Figures, YearFigures

ACCEPTED_PATH = "inputs/accepted_figures.json"


class Acceptance(StrictModel):
    """One decision: who took it, when (ISO 8601, UTC), why, for which years, and what had been found then."""

    by: str
    at: str
    reason: str
    years: tuple[int, ...]
    findings: tuple[str, ...] = ()


class Accepted(StrictModel):
    """Every decision so far in order, and the figures that count as accepted."""

    decisions: tuple[Acceptance, ...] = ()
    years: dict[int, YearFigures] = Field(default_factory=dict)


def accepted(project: Project) -> Accepted:
    """What was accepted so far. Raises `BadInputError` where the file is damaged."""
    root = project.lake.store.root
    return project.parsed(ACCEPTED_PATH, lambda data: _parse(data, root))


def accept(
    store: Store,
    figures: Figures,
    found: Sequence[str],
    by: str,
    reason: str,
    now: datetime | None = None,
) -> Acceptance:
    """Write down that these years' figures are accepted; other years stay as they were.

    Raises `BadInputError` without a reason, and where the file is damaged.
    """
    if not reason.strip():
        raise BadInputError("an acceptance needs a reason, which stands in the record; give one with --reason")
    at = (now or datetime.now(UTC)).isoformat("T", "seconds")
    decision = Acceptance(by=by, at=at, reason=reason.strip(), years=tuple(sorted(figures)), findings=tuple(found))

    def edit(data: bytes | None) -> bytes:
        with Inputs(store).reading(ACCEPTED_PATH, data):
            before = _parse(data, store.root)
        years = dict(sorted({**before.years, **figures}.items()))
        after = Accepted(decisions=(*before.decisions, decision), years=years)
        return f"{after.model_dump_json(indent=1)}\n".encode()

    Inputs(store).change(ACCEPTED_PATH, edit)
    return decision


def _parse(data: bytes | None, root: str) -> Accepted:
    try:
        return Accepted() if data is None else Accepted.model_validate_json(data)
    except ValidationError as error:
        raise BadInputError(
            f"{root}/{ACCEPTED_PATH}, which says what was accepted, cannot be read; restore an earlier version"
        ) from error
