"""The asset `dataset_files`: a folder of files that a person downloads, opens and cites."""

from typing import Any

from minemap_assets.chips.assets import TRAINING_CHIPS
from minemap_assets.errors import BadInputError
from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.statement import Asset, Dep, Job
from minemap_assets.lake.manifests import Outcome
from minemap_assets.project.project import Project
from minemap_assets.publication.config import DatasetConfig
from minemap_assets.publication.published import PUBLISHED, told_of
from minemap_assets.publication.review_assets import RELEASE_REVIEW
from minemap_assets.reference.assets import VALIDATION_POINTS
from minemap_assets.segmentation.assets import RAW_MASKS, told_verdict
from minemap_assets.sites.assets import GROUND_TRUTH
from minemap_assets.tables.assets import POLYGON_TABLE, SITE_PANEL

FOLDER = "dataset"
"""The folder inside the partition."""


def _settings(project: Project, _: Keys) -> Any:
    return {"dataset": project.section(DatasetConfig).model_dump(mode="json"), **told_of(project)}


def _build(context: BuildContext) -> Outcome:
    from minemap_assets.publication.dataset.folder import dataset_of, describe, write_data
    from minemap_assets.publication.dataset.pixels import Wanted

    check_made(context)
    dataset = dataset_of(context)
    folder = context.writer.path(FOLDER)
    folder.mkdir()
    write_data(dataset, folder)
    items = describe(dataset, Wanted(), folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    context.writer.add(FOLDER)
    tables = [{"table": one.name, "rows": len(one.frame)} for one in (*dataset.spatial, *dataset.plain)]
    return Outcome(
        {
            "tables": tables,
            "files": len(files),
            "items": items,
            "held_out_score": dataset.facts.held_out,
            "review": str(dataset.facts.standing.release),
            "licence": dataset.facts.config.licence_database,
            "conflicts": [one.sentence for one in dataset.facts.conflicts],
        }
    )


def check_made(context: InputContext) -> None:
    """Raise `BadInputError` where no table was made of any year: there is nothing to publish."""
    if not context.inputs_of(SITE_PANEL) or not context.inputs_of(POLYGON_TABLE):
        raise BadInputError(
            f"{context.project.lake.store.root} holds no tables of any year yet; `minemap run` makes them"
        )


DATASET_FILES = Asset(
    room="publication",
    name="dataset_files",
    description="Files people open and cite: GeoPackage, GeoParquet, PMTiles, CSV, XLSX and STAC with their terms.",
    deps=(
        *PUBLISHED,
        *(Dep(one, optional=True) for one in (RAW_MASKS, TRAINING_CHIPS, GROUND_TRUTH, VALIDATION_POINTS)),
        # figures that wait for a person are not published
        Dep(RELEASE_REVIEW),
    ),
    settings=_settings,
    code_version="3",
    kinds=frozenset({"geopackage", "parquet", "csv"}),
    on_request=True,
    job=Job("export", "Write the files of the dataset."),
    headline=told_verdict,
    build=_build,
)
