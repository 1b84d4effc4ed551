"""The room reference: registered polygon sets, country boundaries and validation points."""

from collections.abc import Callable
from typing import Any

from minemap_assets.graph.context import BuildContext, Keys
from minemap_assets.graph.statement import Asset, AssetFamily, ColumnFacts, Room
from minemap_assets.lake.manifests import Outcome
from minemap_assets.project.project import Project
from minemap_assets.reference.checks import GEOMETRY_CHECKS
from minemap_assets.reference.country_columns import DESCRIPTIONS
from minemap_assets.reference.registered import is_registered, polygon_sets, reference_entry


def _entry(context: BuildContext) -> Any:
    return reference_entry(context.project, context.ref.asset)


def _build_polygon_set(context: BuildContext) -> Outcome:
    from minemap_assets.reference.polygon_sets import build_polygon_set

    return build_polygon_set(_entry(context), context.project.lake.store, context.writer)


def _build_boundaries(context: BuildContext) -> Outcome:
    from minemap_assets.reference.boundaries import build_boundaries

    return build_boundaries(_entry(context), context.project.lake.store, context.writer)


def _build_points(context: BuildContext) -> Outcome:
    from minemap_assets.reference.points import build_points

    return build_points(_entry(context), context.project.lake.store, context.writer)


def _entry_facts(name: str) -> Callable[[Project, Keys], Any]:
    return lambda project, _: reference_entry(project, name).model_dump(mode="json")


COUNTRY_BOUNDARIES = Asset(
    room="reference",
    name="country_boundaries",
    description="One repaired outline for each country and territory, with its ISO code, continent and sovereign.",
    settings=_entry_facts("country_boundaries"),
    code_version="2",
    columns=ColumnFacts(DESCRIPTIONS),
    checks=GEOMETRY_CHECKS,
    automated=True,
    build=_build_boundaries,
)

VALIDATION_POINTS = Asset(
    room="reference",
    name="validation_points",
    description="Points labelled mine or not mine for each year, for measuring accuracy.",
    settings=_entry_facts("validation_points"),
    code_version="2",
    columns=ColumnFacts(
        {
            "stratum": "Stratum that the point was drawn from; null where the file has none",
            "stratum_area": "Area of that whole stratum, in any unit; null where the file has none",
            "weight": "Area that the point stands for; null where the file has none",
        }
    ),
    applies=lambda project: is_registered(project, "validation_points"),
    build=_build_points,
)


def _polygon_set(name: str) -> Asset:
    return Asset(
        room="reference",
        name=name,
        description=f"Outlines of mining areas from the reference set `{name}`, repaired and in EPSG:4326.",
        settings=_entry_facts(name),
        code_version="2",
        checks=GEOMETRY_CHECKS,
        build=_build_polygon_set,
    )


POLYGON_SETS = AssetFamily(room="reference", names=polygon_sets, member=_polygon_set)

ROOM = Room("reference", (POLYGON_SETS, COUNTRY_BOUNDARIES, VALIDATION_POINTS))
