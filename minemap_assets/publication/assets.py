"""The room publication: the review that new figures pass, and what people open: files, the map, the report."""

from minemap_assets.graph.statement import Room
from minemap_assets.project.settings import Section
from minemap_assets.publication.config import ReleaseConfig
from minemap_assets.publication.report.config import ReportConfig
from minemap_assets.publication.report_assets import REPORT
from minemap_assets.publication.review_assets import RELEASE_REVIEW

ROOM = Room(
    "publication",
    (RELEASE_REVIEW, REPORT),
    sections=(Section("release", ReleaseConfig), Section("report", ReportConfig)),
)
