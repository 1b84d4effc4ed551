"""The room publication: the review that new figures pass, and what people open: files, the map, the report."""

from minemap_assets.graph.statement import Room
from minemap_assets.project.settings import Section
from minemap_assets.publication.config import DatasetConfig, ReleaseConfig
from minemap_assets.publication.dataset_assets import DATASET_FILES
from minemap_assets.publication.map.config import MapConfig
from minemap_assets.publication.map_assets import MAP
from minemap_assets.publication.report.config import ReportConfig
from minemap_assets.publication.report_assets import REPORT
from minemap_assets.publication.review_assets import RELEASE_REVIEW

ROOM = Room(
    "publication",
    (RELEASE_REVIEW, DATASET_FILES, MAP, REPORT),
    sections=(
        Section("release", ReleaseConfig),
        Section("dataset", DatasetConfig),
        Section("map", MapConfig),
        Section("report", ReportConfig),
    ),
)
