"""The scan of the demo: mines that are in no file, and how many of them it finds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import shapely
from rich.table import Table

from dagster_project.commands.candidates import promote_candidates
from dagster_project.commands.context import Session, console, counted, note
from dagster_project.commands.execution import Wishes, execute
from dagster_project.commands.run_report import exit_code
from dagster_project.commands.scanning import SCANNED, points_of_labels
from dagster_project.selection import parse_selection
from minemap_assets.detection.sampling_points import FromTruth
from minemap_assets.graph.graph import Scope
from minemap_assets.project.project import Project
from minemap_assets.simulation.world import World
from minemap_assets.sites.promotion import promoted_sites
from minemap_assets.validation.accuracy import wilson

POINTS = FromTruth(per_mine=24, others=300, place_degrees=0.02)
"""Places are small, because the world is."""

LARGE_HA = 5.0
LEAST_FOUND = 0.9
MOST_FALSE = 3


@dataclass(frozen=True)
class ScanResult:
    """What a scan found: of mines that nobody knew of, those above 5 hectares, and candidates that are no mine."""

    year: int
    mines: int
    found: int
    small_found: int
    candidates: int
    false: int

    def show(self) -> None:
        """Print it."""
        between = wilson(self.found, self.mines)
        table = Table(f"scan of {self.year}", "", title="Mines that were in no file")
        table.add_row("of more than 5 ha", f"{self.mines}")
        share = f"{self.found} ({between.low:.0%} to {between.high:.0%})" if self.mines else "0"
        table.add_row("of these found", share)
        table.add_row("smaller ones found", f"{self.small_found}")
        wrong = wilson(self.false, self.candidates)
        wrong_share = f" ({wrong.low:.0%} to {wrong.high:.0%})" if self.candidates else ""
        table.add_row("candidates that are no mine", f"{self.false} of {self.candidates}{wrong_share}")
        console.print(table)

    def misses(self) -> Iterator[str]:
        """What is below the goals."""
        if self.mines and self.found < LEAST_FOUND * self.mines:
            yield f"The scan found {self.found} of {self.mines} mines above 5 ha; the goal is {LEAST_FOUND:.0%}."
        if self.false > MOST_FALSE:
            yield f"{self.false} candidates are no mine; the goal is at most {MOST_FALSE}."


def scan_for(world: World, session: Session, wishes: Wishes) -> ScanResult | None:
    """Train on the mines that are known, scan the world's last year, and make what is found sites.

    Where all mines are known the classifier is tried first, and learns from its mistakes. None where the scan failed;
    what failed was shown.
    """
    regions, year = tuple(session.project.active_regions()), world.years[-1]
    why = f"found by the scan of {year}"
    if not _promoted(session.project, why):
        scanned = _scanned(world, session, regions, replace(wishes, accepts_losses=True))
        if scanned is None:
            note("the scan was not finished; the same command goes on")
            return None
        promote_candidates(scanned.project, regions, [], 0.0, None, why)
        session = scanned.reopened()
    return _result(world, year, _promoted(session.project, why))


def _scanned(world: World, session: Session, regions: tuple[str, ...], wishes: Wishes) -> Session | None:
    """The project after both scans; None where one failed."""
    known = _wholly_known(world)
    for hard, places, year in (((), known, world.reference_year), (known, regions, world.years[-1])):
        points = points_of_labels(session.project, regions, POINTS, hard=hard)
        told = f"{counted(len(points), 'point')}{', some of them where it was wrong' if hard else ''}"
        console.print(f"Scanning {', '.join(places)} in {year}, by a classifier of {told}", soft_wrap=True)
        session = session.reopened()
        if exit_code(execute(session, Scope(parse_selection(SCANNED, session.graph), places, (year,)), wishes)):
            return None
        session = session.reopened()
    return session


def _promoted(project: Project, why: str) -> list[shapely.Geometry]:
    """Outlines that were made sites for that reason."""
    found = promoted_sites(project)
    return [] if found is None else found.geometry[found["note"] == why].tolist()


def _wholly_known(world: World) -> tuple[str, ...]:
    """Regions with mines in the reference year, all of which somebody knows of."""
    known, there = world.known(world.reference_year), world.outlines(world.reference_year)
    return tuple(sorted({mine.region for mine in known} - {mine.region for mine in there if mine not in known}))


def _result(world: World, year: int, outlines: list[shapely.Geometry]) -> ScanResult:
    truth = world.truth(year)
    hidden = truth[truth["mine_id"].isin(world.hidden)]
    tree = shapely.STRtree(outlines)
    hit = np.zeros(len(hidden), bool)
    hit[np.unique(tree.query(hidden.geometry.to_numpy(), predicate="intersects")[0])] = True
    large = hidden["area_km2"].to_numpy() * 100.0 > LARGE_HA
    any_mine = shapely.union_all(truth.geometry.to_numpy())
    false = sum(not shapely.intersects(one, any_mine) for one in outlines)
    return ScanResult(year, int(large.sum()), int((hit & large).sum()), int((hit & ~large).sum()), len(outlines), false)
