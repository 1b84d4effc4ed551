"""Settings of the report."""

from pydantic import Field

from minemap_assets.project.settings import StrictModel


class ReportConfig(StrictModel):
    """The report. `title` stands on its pages. `sheets` is the most sites that get a page of their own, those with the
    largest mapped area first; the others are listed. Pictures of images whose terms forbid passing pixels on are left
    out of it, unless `restricted_pictures` says that the report stays with you, or that the terms allow such pictures.
    """

    title: str = Field("Mining areas", min_length=1, max_length=200)
    sheets: int = Field(50, ge=0, le=100_000)
    restricted_pictures: bool = False
