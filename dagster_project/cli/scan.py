"""`minemap scan`: look for mines that nobody knows of, in whole regions."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.jobs import Jobs, jobs_or_cores
from dagster_project.cli.options import Json, Regions, Years
from dagster_project.cli.run import DryRun, Losses, Submit
from dagster_project.commands.context import console, counted, note, open_session
from dagster_project.ending_at_once import ends_at_once
from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    from minemap_assets.detection.published import WeightsFacts

scan_app = typer.Typer(help="Look for mines that nobody knows of, in whole regions.", no_args_is_help=True)


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
def points(
    file: Annotated[
        Path | None, typer.Argument(help="Points with a column `class`, mine or other, in any vector format.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="The column of classes, where it is called otherwise.")] = None,
    crs: Annotated[str | None, typer.Option(help="What the coordinates are in, where the file does not say.")] = None,
    from_labels: Annotated[
        bool, typer.Option("--from-labels", help="Draw them in and away from the outlines that the project has.")
    ] = False,
    per_mine: Annotated[int, typer.Option(min=1, help="With --from-labels: points in each mine.")] = 4,
    others: Annotated[int, typer.Option(min=1, help="With --from-labels: points of a region that are no mine.")] = 400,
    place_km: Annotated[
        float, typer.Option(min=0.5, help="With --from-labels: size of the squares that are held out whole.")
    ] = 55.0,
    hard: Annotated[
        bool,
        typer.Option(
            "--hard",
            help="With --from-labels: add ground that a scan took for a mine; where every mine is outlined.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="The same outlines and seed give the same points.")] = 0,
    regions: Regions = None,
) -> None:
    """Train and judge a classifier of one's own: register points that are mines, and points that are none."""
    from dagster_project.commands.context import parse_regions
    from dagster_project.commands.scanning import points_of_file, points_of_labels
    from minemap_assets.detection.sampling_points import FromTruth

    if (file is None) == (not from_labels):
        raise BadInputError("give a file of points, or --from-labels, and not both")
    project = open_session().project
    if file is not None:
        found = points_of_file(project, file.expanduser(), column, crs)
    else:
        wanted = FromTruth(per_mine, others, place_degrees=place_km / 111.32, seed=seed)
        slugs = parse_regions(regions, project)
        found = points_of_labels(project, slugs, wanted, hard=slugs if hard else ())
    mines = int(found.mine.sum())
    console.print(
        f"{counted(len(found), 'point')}, {mines:,} of them in mines, in {counted(len(set(found.places)), 'place')}. "
        "`minemap scan run` makes a classifier of them, or judges imported weights by them.",
        soft_wrap=True,
    )


@scan_app.command()
def overlay(
    name: Annotated[str, typer.Argument(help="What it is called, such as reserves or airstrips.")],
    file: Annotated[Path, typer.Argument(help="Areas, lines or points in any vector format.")],
    column: Annotated[str | None, typer.Option(help="The column that names them.")] = None,
    crs: Annotated[str | None, typer.Option(help="What the coordinates are in, where the file does not say.")] = None,
) -> None:
    """Sum detections up inside areas of one's own, or by the distance to lines and points."""
    from minemap_assets.detection.overlays import add_overlay

    store = open_session().project.lake.store
    found = add_overlay(store, name, file.expanduser(), column=column, crs=crs)
    console.print(f"{counted(found, 'feature')}; `minemap scan summary --by {name}` shows them after the next run.")


@scan_app.command()
def run(
    regions: Regions = None,
    years: Years = None,
    dry_run: DryRun = False,
    losses: Losses = False,
    jobs: Jobs = None,
    submit: Submit = False,
) -> int:
    """Fetch, score and join the patches of whole regions; what is current is kept."""
    with ends_at_once():
        from dagster_project.commands.execution import Wishes, run_selection
        from dagster_project.commands.scanning import SCANNED
        from minemap_assets.detection.dependencies import has_classifier

        if not has_classifier(open_session().project):
            raise BadInputError(
                "the project has no classifier; import weights with `minemap scan weights FILE`, or register points to "
                "learn from with `minemap scan points FILE`"
            )
        wishes = Wishes(accepts_losses=losses, dry=dry_run, jobs=jobs_or_cores(jobs), submit=submit)
        return run_selection(SCANNED, regions, years, None, wishes)


@scan_app.command()
def plan(
    regions: Regions = None,
    years: Years = None,
    rate: Annotated[
        float,
        typer.Option(min=0.1, help="Patches a second that a machine scores; benchmarks/patch_scores.py tells it."),
    ] = 150.0,
) -> None:
    """Say what scanning whole regions would need from each source of the product, were it the only one.

    Nothing is fetched and no service is asked: the figures are assumptions on the high side.
    """
    from dagster_project.commands.context import parse_regions, parse_years
    from dagster_project.commands.scanning import projections
    from minemap_assets.detection.dependencies import scan_product
    from minemap_assets.detection.projection import PATCHES

    project = open_session().project
    slugs, chosen = parse_regions(regions, project), parse_years(years, project)
    tiles, found = projections(project, slugs, chosen[-1])
    patches, product = tiles * PATCHES, scan_product(project)
    console.print(
        f"{counted(len(slugs), 'region')} in one year: {tiles:,} tiles, {patches:,} patches of {product}; "
        f"{patches / rate / 3600:,.1f} hours of scoring at {rate:g} patches a second.",
        soft_wrap=True,
    )
    show(
        ("source", "tiles", "requests", "GB to fetch", "downloads", "EECU-hours", "GB on disk", "hours"),
        [
            (
                one.source,
                f"{one.tiles:,}",
                f"{one.cost.requests:,}",
                f"{one.cost.bytes_read / 1e9:,.1f}",
                f"{one.cost.downloads:,}",
                f"{one.cost.eecu_hours:,.1f}",
                f"{one.cost.disk_bytes / 1e9:,.1f}",
                f"{one.cost.seconds / 3600:,.1f}",
            )
            for one in found
        ],
    )


@scan_app.command()
def snapshots(jobs: Jobs = None) -> int:
    """Scan the one-off seasons of the settings ([snapshots.seasons]); they enter no series."""
    with ends_at_once():
        from dagster_project.commands.execution import Wishes, run_selection
        from minemap_assets.snapshots.assets import has_snapshots

        if not has_snapshots(open_session().project):
            raise BadInputError(
                "there is nothing to scan: name a season under [snapshots.seasons] in the settings, such as 2025-q3 = "
                "{ start = 2025-07-01, end = 2025-10-01 }, and have a classifier (`minemap scan --help`)"
            )
        return run_selection("room:snapshots", None, None, None, Wishes(jobs=jobs_or_cores(jobs)))


@scan_app.command()
def summary(
    regions: Regions = None,
    years: Years = None,
    by: Annotated[str, typer.Option(help="region, country, or the name of an overlay.")] = "region",
    as_json: Json = False,
) -> None:
    """Show how much was detected, by region, country, area of an overlay, or distance to one."""
    from dagster_project.commands.context import parse_regions, parse_years
    from dagster_project.commands.json_output import print_json
    from dagster_project.commands.scanning import summary_table

    project = open_session().project
    found = summary_table(project, parse_regions(regions, project), parse_years(years, project), by)
    if as_json:
        print_json(found.to_dict("records"))
        return
    if not len(found):
        console.print("Nothing was scanned there; scan with `minemap scan run`.")
        return
    show(
        (
            "region",
            "year",
            by if by not in {"region", "country"} else "name",
            "detections",
            "patches, km2",
            "outlined, km2",
        ),
        [
            (
                str(row.region),
                str(row.year),
                str(row.name),
                f"{row.detections:,}",
                f"{row.patch_area_km2:,.2f}",
                "not outlined" if math.isnan(area) else f"{area:,.2f}",
            )
            for row, area in zip(found.itertuples(index=False), found["outlined_km2"].tolist(), strict=True)
        ],
    )


@scan_app.command()
def sample(
    year: Annotated[int, typer.Option(help="The year that was scanned.")],
    to: Annotated[Path, typer.Option(help="An empty folder.")],
) -> None:
    """Copy a year's sample of patches with their pictures: fill in `class` with mine, other or unsure."""
    from dagster_project.commands.scanning import export_sample

    count = export_sample(open_session().project, year, to.expanduser())
    console.print(
        f"{counted(count, 'patch')} in {to / 'sample.geojson'}; fill in `class`, then `minemap scan accuracy FILE`.",
        soft_wrap=True,
    )


@scan_app.command()
def accuracy(file: Annotated[Path, typer.Argument(help="The sample, with classes filled in.")]) -> None:
    """Say how many detections are mines and how many mines were detected, with 95 % intervals."""
    from dagster_project.commands.scanning import label_sentences

    for sentence in label_sentences(file.expanduser()):
        console.print(f"{sentence[0].upper()}{sentence[1:]}.", soft_wrap=True)


@scan_app.command()
def candidates(
    regions: Regions = None,
    to: Annotated[
        Path | None, typer.Option(help="An empty folder for their outlines (GeoJSON) and pages of pictures.")
    ] = None,
) -> None:
    """List detections that lie where no site is known, the surest first."""
    from dagster_project.commands.candidates import candidate_table, export_candidates
    from dagster_project.commands.context import parse_regions

    session = open_session()
    found = candidate_table(session.project, parse_regions(regions, session.project))
    if not len(found):
        console.print("There are no candidates; scan with `minemap scan run`.")
        return
    show(
        ("candidate", "score", "years", "patches, km2", "km to a site", "longitude", "latitude"),
        [
            (
                str(row.candidate_id),
                f"{row.score_max:.2f}",
                f"{row.years} of {row.years_scanned}",
                f"{row.patch_area_km2:.2f}",
                "no site" if math.isnan(away) else f"{away:.1f}",
                f"{row.longitude:.4f}",
                f"{row.latitude:.4f}",
            )
            for row, away in zip(found.itertuples(index=False), found["site_distance_km"].tolist(), strict=True)
        ],
    )
    if to is not None:
        pages = export_candidates(session.project, found, to.expanduser())
        console.print(f"{counted(pages, 'page')} of pictures and candidates.geojson in {to}.", soft_wrap=True)


def show(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table whose first column is never cut, because people copy it."""
    from rich.table import Table

    table = Table(*headings[:1])
    table.columns[0].no_wrap = True
    for heading in headings[1:]:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
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
