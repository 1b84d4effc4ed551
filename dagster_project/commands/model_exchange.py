"""What `minemap model` does: bringing a model, taking one along, listing them, showing the card of one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from rich.table import Table

from dagster_project.commands.context import Session, console, note, open_session
from dagster_project.commands.json_output import print_json
from dagster_project.commands.model_verdicts import standing_of
from dagster_project.first_promotion import SHOWN, user
from minemap_assets.errors import BadInputError
from minemap_assets.project.project import Project
from minemap_assets.segmentation.artefact import Model
from minemap_assets.segmentation.assets import SEGMENTATION_MODEL
from minemap_assets.segmentation.card_text import card_text
from minemap_assets.segmentation.exchange import REDUCTIONS, Facts, export_model, import_model, read_normalisation
from minemap_assets.segmentation.model_origins import origin_of
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.promotion import find_model, in_use, kept_versions, promotions, verdict_on

_TRAINED_HERE = "trained here"


@dataclass(frozen=True)
class Given:
    """The options of `minemap model import` that say what a model of transformers does not."""

    bands: str | None = None
    products: tuple[str, ...] = ()
    mean: str | None = None
    std: str | None = None
    normalisation: Path | None = None
    threshold: float | None = None
    reduction: int = 1
    licence: str = ""

    def facts(self) -> Facts | None:
        """What they come to; None where nothing was given. Raises `BadInputError` where some are lacking."""
        if self == Given():
            return None
        if self.bands is None or not self.products or self.threshold is None:
            raise BadInputError("a model of transformers needs all of --bands, --product and --threshold")
        if not 0.0 < self.threshold < 1.0:
            raise BadInputError(f"--threshold: a probability lies between 0 and 1, not {self.threshold}")
        if self.reduction not in REDUCTIONS:
            raise BadInputError(f"--reduction: it is one of 1, 2, 4 and 8, not {self.reduction}")
        bands = tuple(band.strip() for band in self.bands.split(",") if band.strip())
        return Facts(bands, self._normalisations(len(bands)), self.threshold, self.reduction, self.licence)

    def _normalisations(self, bands: int) -> dict[str, Normalisation]:
        if self.normalisation is not None:
            if self.mean is not None or self.std is not None:
                raise BadInputError("--normalisation takes the place of --mean and --std; give one or the other")
            return read_normalisation(self.normalisation, self.products)
        if self.mean is None or self.std is None:
            raise BadInputError("a model of transformers needs --mean and --std, or --normalisation FILE")
        one = Normalisation(mean=_numbers("--mean", self.mean, bands), spread=_numbers("--std", self.std, bands))
        return dict.fromkeys(self.products, one)


@dataclass(frozen=True)
class Listed:
    """One model as `minemap model list` shows it; `in_use_since` is empty for one that is not in use."""

    version: str
    origin: str
    verdict: str
    sentence: str
    in_use_since: str
    was_in_use: bool


def bring(path: Path, given: Given, by: str | None, why: str) -> None:
    """Import a model and say what came of it."""
    project = open_session().project
    done = import_model(project, path, by or user(), given.facts(), why)
    for sentence in done.notes:
        note(sentence)
    there = "is kept now" if done.new else "was kept already"
    console.print(
        f"Model {done.version[:SHOWN]} {there}; `minemap model promote {done.version[:SHOWN]}` puts it in use.",
        soft_wrap=True,
    )


def take_along(target: Path, version: str | None) -> None:
    """Export a model and say where it lies."""
    session = open_session()
    with _found(session, version) as model:
        export_model(model, target, card_text(model, standing_of(session.project, model.version)))
        console.print(f"Model {model.version[:SHOWN]} is in {target}, with its card.", markup=False, soft_wrap=True)


def show_card(version: str | None, output: Path | None) -> None:
    """Print a model's card, or write it to a file."""
    session = open_session()
    with _found(session, version) as model:
        text = card_text(model, standing_of(session.project, model.version))
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{output} cannot be written ({error.strerror}); give another file") from error


def list_models(*, as_json: bool) -> None:
    """Print every model that can be put in use."""
    found = list(_listed(open_session().project))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    if not found:
        console.print(
            "There is no model yet: `minemap run --select +model_evaluation` trains one, and `minemap model import` "
            "takes one that was made elsewhere.",
            soft_wrap=True,
        )
        return
    table = Table("version", "from", "verdict", "in use")
    for one in found:
        used = f"since {one.in_use_since[:10]}" if one.in_use_since else ("before" if one.was_in_use else "no")
        table.add_row(one.version[:SHOWN], one.origin, one.verdict, used)
    console.print(table)


def _listed(project: Project) -> Iterator[Listed]:
    """Kept models in the order of their versions, then the newest trained one where it is not among them."""
    kept = kept_versions(project.lake.store)
    trained = project.lake.find(SEGMENTATION_MODEL.ref())
    latest = "" if trained is None else str(trained.manifest.summary.get("version", ""))
    decision, used = in_use(project), {one.version for one in promotions(project)}
    for version in dict.fromkeys((*kept, *([latest] if latest else []))):
        brought, verdict = origin_of(project, version), verdict_on(project, version)
        yield Listed(
            version,
            _TRAINED_HERE if brought is None else f"{brought.source}, by {brought.by}",
            str(verdict.grade),
            verdict.sentence,
            decision.at if decision is not None and decision.version == version else "",
            version in used,
        )


@contextmanager
def _found(session: Session, version: str | None) -> Iterator[Model]:
    """The model whose version begins so; without a version that in use, or else the newest trained one."""
    project = session.project
    decision = in_use(project)
    wanted = version if version is not None else ("" if decision is None else decision.version)
    with tempfile.TemporaryDirectory() as scratch:
        model = find_model(project.lake, wanted, SEGMENTATION_MODEL.ref(), Path(scratch))
        if model is None:
            known = ", ".join(one.version[:SHOWN] for one in _listed(project)) or "none"
            raise BadInputError(
                f"no model's version begins with {wanted!r}; the models are: {known}"
                if wanted
                else "there is no model yet; train one with `minemap run --select +model_evaluation`, or bring one "
                "with `minemap model import`"
            )
        yield model


def _numbers(option: str, text: str, count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BadInputError(f"{option}: {text!r} is no list of numbers; write such as 400,600,500,3000") from None
    if len(numbers) != count:
        raise BadInputError(f"{option}: {len(numbers)} numbers for {count} bands; give one for each, in their order")
    return numbers
