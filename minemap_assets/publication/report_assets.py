"""The asset `report`: what the project found and how far it can be trusted, to be read, printed and cited."""

from typing import Any

from minemap_assets.graph.context import BuildContext, Keys
from minemap_assets.graph.statement import Asset, Dep, Job
from minemap_assets.lake.manifests import Manifest, Outcome
from minemap_assets.polygons.assets import MINING_POLYGONS, SERIES
from minemap_assets.project.project import Project
from minemap_assets.publication.published import PUBLISHED, told_of
from minemap_assets.publication.report.config import ReportConfig
from minemap_assets.publication.review_assets import RELEASE_REVIEW
from minemap_assets.segmentation.assets import RAW_MASKS, told_verdict
from minemap_assets.sites.assets import GROUND_TRUTH
from minemap_assets.tables.assets import CHANGE_GRID, PUBLISHED_COUNTRY_AREA

REPORTING = Job("report", "Write the report of the project: figures, tables, and a page for each site.")


def _settings(project: Project, _: Keys) -> Any:
    from minemap_assets.publication.acceptance import accepted
    from minemap_assets.publication.report.versions_section import software

    return {
        "report": project.section(ReportConfig).model_dump(mode="json"),
        "years": list(project.closed_years()),
        "accepted": len(accepted(project).decisions),
        "software": software(),
        **told_of(project),
    }


def _build(context: BuildContext) -> Outcome:
    from minemap_assets.publication.report.build import build_report

    return build_report(context)


def _headline(project: Project, manifest: Manifest) -> dict[str, str]:
    return {"release": str(manifest.summary.get("release", "")), **told_verdict(project, manifest)}


REPORT = Asset(
    room="publication",
    name="report",
    code_version="2",
    description="The report: held-out accuracy first, then areas, change, series, validation, what is missing, "
    "versions, and a page for each site; HTML that is read and printed without a network.",
    deps=(
        *PUBLISHED,
        *(Dep(one, optional=True) for one in (MINING_POLYGONS, RAW_MASKS, GROUND_TRUTH)),
        *(Dep(one, optional=True) for one in (CHANGE_GRID, PUBLISHED_COUNTRY_AREA, SERIES, RELEASE_REVIEW)),
    ),
    settings=_settings,
    kinds=frozenset({"html"}),
    job=REPORTING,
    headline=_headline,
    on_request=True,
    build=_build,
)
