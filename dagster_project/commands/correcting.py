"""What the commands of `minemap corrections` do: find polygons by their ids, add entries, and tell what they meet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rich.table import Column, Table

from dagster_project.commands.context import Session, console, counted, note
from dagster_project.first_promotion import user
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import MINING_POLYGONS, RAW_POLYGONS
from minemap_assets.polygons.correction_edits import (
    Added,
    Saying,
    add_corrections,
    drawn_corrections,
    feature_of,
    withdraw_corrections,
)
from minemap_assets.polygons.correction_file import CORRECTIONS_PATH, Correction, parse_corrections
from minemap_assets.polygons.corrections import MAJORITY
from minemap_assets.project.regions import read_polygons


@dataclass(frozen=True)
class Met:
    """What a correction meets: regions of the project, and by year the outlines that it decides about."""

    number: int
    action: str
    years: str
    author: str
    date: str
    reason: str
    polygon_id: str
    regions: tuple[str, ...]
    outlines: dict[int, int]


def saying(author: str | None, date: str | None, reason: str, action: str, years: tuple[int, ...]) -> Saying:
    """What is said of every correction: by the user of this machine, today, unless told otherwise."""
    return Saying(author or user(), date or datetime.now(UTC).date().isoformat(), reason, action, years)


def add(session: Session, file: Path, said: Saying, layer: str | None, crs: str | None) -> None:
    """Add the corrections of a file."""
    _say(add_corrections(session.project.lake.store, drawn_corrections(file, said, layer=layer, crs=crs)))


def reject(session: Session, polygon_ids: Sequence[str], said: Saying) -> None:
    """Reject mapped polygons: their ground is no mine."""
    _say(add_rejections(session, polygon_ids, said))


def add_rejections(session: Session, polygon_ids: Sequence[str], said: Saying) -> Added:
    """The same, and what came of it. Raises `BadInputError` where no polygon that is mapped now has such an id."""
    found = [(name, _polygon(session, name)) for name in dict.fromkeys(polygon_ids)]
    features = [feature_of(shape, said, {"polygon_id": name}) for name, shape in found]
    return add_corrections(session.project.lake.store, features)


def redraw(session: Session, polygon_id: str, file: Path, said: Saying, layer: str | None, crs: str | None) -> None:
    """Put a drawn outline in place of a mapped polygon."""
    replaced = _polygon(session, polygon_id)
    outline = shapely.union_all(read_polygons(file, layer, crs))
    if not shapely.intersects(outline, replaced):
        raise BadInputError(f"{file} does not touch {polygon_id}, which it is to replace; draw the outline over it")
    feature = feature_of(outline, said, {"polygon_id": polygon_id}, replaces=replaced)
    _say(add_corrections(session.project.lake.store, [feature]))


def withdraw(session: Session, numbers: Sequence[int]) -> None:
    """Take corrections back."""
    gone = withdraw_corrections(session.project.lake.store, set(numbers))
    for one in gone:
        console.print(f"{one} of {one.years_told} is taken back.", markup=False, soft_wrap=True)
    console.print("The others are numbered anew; the next run maps that ground as it was.")


def list_corrections(session: Session, *, as_json: bool) -> None:
    """Every correction with what it meets, as a table or as JSON."""
    corrections = _corrections(session)
    met = _met(session, corrections)
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json(met)
        return
    if not met:
        console.print("No correction yet; `minemap corrections reject POLYGON_ID --reason WHY` makes one.")
        return
    table = Table(Column("no.", justify="right"), "action", "years", "regions", "author", "date", "reason", "polygon")
    for one in met:
        regions = ", ".join(one.regions) or "none"
        table.add_row(str(one.number), one.action, one.years, regions, one.author, one.date, one.reason, one.polygon_id)
    console.print(table)


def check(session: Session) -> None:
    """Read the file strictly, and say of each correction what it decides about and what makes it idle."""
    project, corrections = session.project, _corrections(session)
    mapped = set(project.years())
    for correction, one in zip(corrections, _met(session, corrections), strict=True):
        years = [year for year in sorted(mapped) if correction.applies(year)]
        told = ", ".join(f"{year}: {count}" for year, count in sorted(one.outlines.items()) if count)
        said = f"outlines by year {told}" if told else "no outline that is mapped"
        console.print(f"{correction}: {said}.", markup=False, soft_wrap=True)
        if not one.regions:
            note(f"correction {one.number} lies in no region of the project, so that it does nothing")
        elif not years:
            note(
                f"correction {one.number} holds for {one.years}, and the project maps {_span(mapped)}: it does nothing"
            )
    console.print(f"{counted(len(corrections), 'correction')}, each of them whole.")


def _span(years: set[int]) -> str:
    return f"{min(years)} to {max(years)}" if years else "no year"


def _say(added: Added) -> None:
    for one in added.new:
        console.print(f"{one} holds for {one.years_told}.", markup=False, soft_wrap=True)
    if added.known:
        console.print(f"{counted(added.known, 'correction')} stood there already.")
    if added.new:
        console.print("The next run makes the polygons and tables of these places and years again.")


def _corrections(session: Session) -> tuple[Correction, ...]:
    where = f"{session.project.lake.store.root}/{CORRECTIONS_PATH}"
    return session.project.parsed(CORRECTIONS_PATH, lambda data: parse_corrections(data, where))


def _polygon(session: Session, polygon_id: str) -> Any:
    """The outline of a published polygon. Raises `BadInputError` where no partition holds one of that id."""
    for manifest in session.project.lake.manifests(MINING_POLYGONS.room, MINING_POLYGONS.name):
        if not polygon_id.startswith("-".join(manifest.keys) + "-"):
            continue
        frame = read_geoparquet(Partition(session.project.lake.store, manifest).file(f"{MINING_POLYGONS.name}.parquet"))
        found = frame[frame["polygon_id"] == polygon_id]
        if len(found):
            return found.geometry.iloc[0]
    raise BadInputError(
        f"no polygon that is mapped now has the id {polygon_id!r}; ids stand in the column polygon_id of the table "
        "polygons, and change where outlines change"
    )


def _met(session: Session, corrections: Sequence[Correction]) -> list[Met]:
    regions = session.project.active_regions()
    outlines: list[dict[int, int]] = [{} for _ in corrections]
    if corrections:
        for year, shapes in _outlines(session):
            for number, one in enumerate(corrections):
                if one.applies(year):
                    outlines[number][year] = outlines[number].get(year, 0) + _decided(one, shapes)
    return [
        Met(
            number=one.number,
            action=one.action,
            years=one.years_told,
            author=one.author,
            date=one.date,
            reason=one.reason,
            polygon_id=one.polygon_id,
            regions=tuple(slug for slug, region in regions.items() if shapely.intersects(region.geometry, one.ground)),
            outlines=counts,
        )
        for one, counts in zip(corrections, outlines, strict=True)
    ]


def _outlines(session: Session) -> Iterator[tuple[int, Any]]:
    """Year and outlines of every partition that is published, before any correction."""
    for manifest in session.project.lake.manifests(RAW_POLYGONS.room, RAW_POLYGONS.name):
        partition = Partition(session.project.lake.store, manifest)
        frame = read_geoparquet(partition.file(f"{RAW_POLYGONS.name}.parquet"))
        yield int(manifest.keys[1]), np.asarray(frame.geometry.array, dtype=object)


def _decided(one: Correction, shapes: Any) -> int:
    """How many outlines lie in its ground for the most part."""
    near = shapes[shapely.intersects(shapes, one.ground)] if len(shapes) else shapes
    inside = shapely.area(shapely.intersection(near, one.ground))
    return int(np.count_nonzero(inside >= MAJORITY * shapely.area(near)))
