"""`minemap scan`: look for mines that nobody knows of, in whole regions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.jobs import Jobs, jobs_or_cores
from dagster_project.cli.options import Regions, Years
from dagster_project.commands.context import console, counted, note, open_session
from dagster_project.ending_at_once import ends_at_once
from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    from minemap_assets.detection.published import WeightsFacts

scan_app = typer.Typer(help="Look for mines that nobody knows of, in whole regions.", no_args_is_help=True)

SCANNED = "room:detection"


@scan_app.command()
def weights(
    place: Annotated[str, typer.Argument(help="A Keras .h5 file of a patch classifier, or its web address.")],
    licence: Annotated[str, typer.Option(help="What the weights may be used for, where that is not known.")] = "",
    sha256: Annotated[str, typer.Option(help="Checksum, where it has to be that very file.")] = "",
    bands: Annotated[
        str, typer.Option(help="Bands that the weights read, in their order, such as blue,green,red.")
    ] = "",
) -> None:
    """Scan with published weights, such as those of Amazon Mining Watch."""
    from minemap_assets.detection.published import import_weights
    from minemap_assets.reference.fetching import is_address

    session = open_session()
    store = session.project.lake.store
    named = tuple(band.strip() for band in bands.split(",") if band.strip())
    if is_address(place):
        folder = session.project.lake.state / "downloads" / "weights"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "weights.h5"
        _download(place, path)
        facts = import_weights(store, path, place, licence=licence, sha256=sha256, bands=named)
        path.unlink()
    else:
        path = Path(place).expanduser()
        if not path.is_file():
            raise BadInputError(f"there is no file {path}; give the path or web address of a Keras .h5 file")
        facts = import_weights(store, path, path.name, licence=licence, sha256=sha256, bands=named)
    _say(facts)


def _download(address: str, path: Path) -> None:
    from minemap_assets.net.client import Client
    from minemap_assets.net.policy import ClientPolicy

    with Client("the publisher of the weights", ClientPolicy(attempts=6, timeout=60.0, deadline=3600.0)) as client:
        client.download(address, path)


def _say(facts: "WeightsFacts") -> None:
    console.print(f"Imported {facts.origin}, SHA-256 {facts.sha256}.", soft_wrap=True)
    named = f"; name {facts.attribution}" if facts.attribution else ""
    console.print(f"Licence: {facts.licence}{named}.", soft_wrap=True)
    console.print(f"It reads {len(facts.bands)} bands of {facts.product}: {', '.join(facts.bands)}.", soft_wrap=True)
    console.print("Scan with `minemap scan run`.")


@scan_app.command()
def run(regions: Regions = None, years: Years = None, jobs: Jobs = None) -> int:
    """Fetch, score and join the patches of whole regions; what is current is kept."""
    with ends_at_once():
        from dagster_project.commands.execution import Wishes, run_selection
        from minemap_assets.detection.assets import has_classifier

        if not has_classifier(open_session().project):
            raise BadInputError("the project has no classifier; import weights with `minemap scan weights FILE`")
        return run_selection(SCANNED, regions, years, None, Wishes(jobs=jobs_or_cores(jobs)))


@scan_app.command()
def candidates(regions: Regions = None) -> None:
    """List detections that lie where no site is known, the surest first."""
    from rich.table import Table

    from dagster_project.commands.candidates import candidate_table
    from dagster_project.commands.context import parse_regions

    session = open_session()
    found = candidate_table(session.project, parse_regions(regions, session.project))
    if not len(found):
        console.print("There are no candidates; scan with `minemap scan run`.")
        return
    table = Table(*("candidate", "score", "years", "patches, km2", "km to a site", "longitude", "latitude"))
    for row in found.itertuples(index=False):
        table.add_row(
            str(row.candidate_id),
            f"{row.score_max:.2f}",
            f"{row.years} of {row.years_scanned}",
            f"{row.patch_area_km2:.2f}",
            f"{row.site_distance_km:.1f}",
            f"{row.longitude:.4f}",
            f"{row.latitude:.4f}",
        )
    console.print(table)


@scan_app.command()
def promote(
    ids: Annotated[list[str] | None, typer.Argument(help="Candidates by their ids.")] = None,
    regions: Regions = None,
    min_score: Annotated[float | None, typer.Option(help="All that score as much in some year.")] = None,
    min_years: Annotated[int | None, typer.Option(help="All that were detected in so many years.")] = None,
    why: Annotated[str, typer.Option("--note", help="Why, and by whom.")] = "",
) -> None:
    """Make candidates sites: they are outlined in every year, and tracked like any other."""
    from dagster_project.commands.candidates import promote_candidates
    from dagster_project.commands.context import parse_regions

    if not ids and min_score is None and min_years is None:
        raise BadInputError("say which candidates: their ids, or a rule with --min-score or --min-years")
    session = open_session()
    slugs = parse_regions(regions, session.project)
    added = promote_candidates(session.project, slugs, ids or [], min_score, min_years, why)
    console.print(f"{counted(added, 'new site')}; the next `minemap run` maps them in every year.", soft_wrap=True)
    if not added:
        note("nothing changes: these outlines are sites already, or no candidate fits the rule")
