"""The only place of assembly: everything Dagster loads is put together here.

What belongs here: gathering. What does not: any asset, rule or setting.
"""

import dagster as dg

from dagster_project.automation import automate
from dagster_project.environment import Environment, read_environment
from dagster_project.executors import executor_for
from dagster_project.jobs import JOBS
from dagster_project.resources import project_from
from dagster_project.schedules import SCHEDULES
from dagster_project.sensors import SENSORS
from minemap_assets.chips.assets import chips_assets
from minemap_assets.imagery.assets import imagery_assets
from minemap_assets.polygons.assets import polygons_assets
from minemap_assets.project.project import Project
from minemap_assets.reference.assets import reference_assets
from minemap_assets.segmentation.assets import segmentation_assets
from minemap_assets.sites.assets import sites_assets
from minemap_assets.tables.assets import tables_assets
from minemap_assets.validation.assets import validation_assets


def all_assets(project: Project) -> list[dg.AssetsDefinition]:
    """The assets of every room, in the order data flows."""
    sets = project.polygon_sets()
    return [
        *reference_assets(sets),
        *sites_assets(sets),
        *imagery_assets(),
        *chips_assets(),
        *segmentation_assets(),
        *polygons_assets(),
        *tables_assets(),
        *validation_assets(),
    ]


def build_definitions(environment: Environment | None = None, project: Project | None = None) -> dg.Definitions:
    """The code location. Tests pass an environment, or a project of their own."""
    environment = environment or read_environment()
    project = project or project_from(environment)
    return dg.Definitions(
        assets=automate(all_assets(project)),
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources={"project": project},
        executor=executor_for(environment),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev` and the daemon load."""
    return build_definitions()
