"""Samples for area estimates: drawn from the maps, registered, labelled, listed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.commands.context import Session, console, counted, note, open_session, parse_regions, parse_years
from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    from minemap_assets.validation.sample_files import SampleDesign


@dataclass(frozen=True)
class Asked:
    """What a person asks of a sample; both years are the same for one year alone."""

    start_year: int
    end_year: int
    size: int
    seed: int
    minimum: int
    allocation: str
    near_m: float


def draw_sample(asked: Asked, *, regions: str | None, out: Path | None) -> None:
    """Draw, register, and write the file to be labelled."""
    from minemap_assets.validation.label_files import check_label_path, write_label_file
    from minemap_assets.validation.sample_files import register_sample

    session = open_session()
    for year in (asked.start_year, asked.end_year):
        parse_years(str(year), session.project)
    if asked.start_year > asked.end_year:
        raise BadInputError(f"--to {asked.end_year} is before --year {asked.start_year}; give the earlier year first")
    if out is not None:
        check_label_path(out)
    design = _design(session, asked, parse_regions(regions, session.project))
    path = out or Path(f"sample-{design.name}.csv")
    write_label_file(design, path)
    register_sample(session.project.lake.store, design)
    _say(design, path)


def _design(session: Session, asked: Asked, slugs: tuple[str, ...]) -> "SampleDesign":
    from minemap_assets.validation.drawing_samples import Wanted, draw_design

    if asked.allocation not in ("neyman", "proportional"):
        raise BadInputError(f"--allocation: {asked.allocation!r} is neither `neyman` nor `proportional`")
    wanted = Wanted(
        start_year=asked.start_year,
        end_year=asked.end_year,
        size=asked.size,
        seed=asked.seed,
        minimum=asked.minimum,
        allocation="neyman" if asked.allocation == "neyman" else "proportional",
        near_m=asked.near_m,
    )
    return draw_design(session.project, slugs, wanted)


def _say(design: "SampleDesign", path: Path) -> None:
    from rich.table import Table

    table = Table("country", "stratum", title=f"Sample {design.name}")
    for heading in ("km2", "points"):
        table.add_column(heading, justify="right")
    for stratum in design.strata:
        table.add_row(stratum.iso3 or "none", stratum.kind, f"{stratum.area_km2:,.3f}", f"{stratum.points:,}")
    console.print(table)
    console.print(
        f"{counted(len(design.points), 'point')} in {path}, on the {design.frame_km2:,.1f} km2 that known sites own; "
        "mines where no site is known are not measured. Fill in the labels and hand the file back with `minemap sample "
        f"add {path}`.",
        soft_wrap=True,
        markup=False,
    )
    if design.left_out_km2 > 0.0:
        note(f"strata below 100 m2 have no points: {design.left_out_km2:.6f} km2 in all are left out")


def add_labels(file: Path) -> None:
    """Check a file of labels and register it."""
    from minemap_assets.validation.label_files import read_label_file, sample_of
    from minemap_assets.validation.sample_files import register_labels, sample_design

    session = open_session()
    name = sample_of(file)
    design = sample_design(session.project, name)
    labels = read_label_file(file, design)
    labelled = register_labels(session.project.lake.store, name, labels)
    console.print(
        f"Sample {name}: {labelled:,} of {counted(len(design.points), 'point')} have labels; `minemap run --select "
        "area_estimates` makes the estimates.",
        soft_wrap=True,
    )
    half = sum(1 for label in labels if label.start is None or label.end is None)
    if half:
        note(f"{counted(half, 'point')} with a label of one year only count in no estimate")


def list_samples(*, as_json: bool) -> None:
    """Every sample: its years, regions, points and labels."""
    from rich.table import Table

    from minemap_assets.validation.sample_files import sample_design, sample_labels, sample_names

    project = open_session().project
    designs = {name: sample_design(project, name) for name in sample_names(project)}
    labelled = {name: len(sample_labels(project, name)) for name in designs}
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json(
            [
                {
                    "sample": name,
                    "start_year": design.start_year,
                    "end_year": design.end_year,
                    "regions": list(design.regions),
                    "frame_km2": round(design.frame_km2, 3),
                    "points": len(design.points),
                    "labelled": labelled[name],
                }
                for name, design in designs.items()
            ]
        )
        return
    if not designs:
        console.print("No sample yet; `minemap sample draw --year YEAR --size POINTS` draws one.")
        return
    table = Table("sample", "years", "regions", "frame km2", "points", "labelled")
    table.columns[0].no_wrap = True
    for name, design in designs.items():
        years = str(design.start_year) if design.single else f"{design.start_year} to {design.end_year}"
        counts = (f"{len(design.points):,}", f"{labelled[name]:,}")
        table.add_row(name, years, ", ".join(design.regions), f"{design.frame_km2:,.3f}", *counts)
    console.print(table)
