"""What was published of countries, as tables beside ours: the figures, and the ground that they describe."""

import pandas as pd

from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.schemas import conform, write_table
from minemap_assets.reference.published_areas import PUBLISHED_AS, PUBLISHED_COVERAGE, SOURCE, published_areas
from minemap_assets.tables.schemas import PUBLISHED_COUNTRY_AREA
from minemap_assets.tables.schemas import PUBLISHED_COVERAGE as COVERAGE


def build_published(writer: PartitionWriter) -> Outcome:
    """Write `published_country_area.parquet` and `published_coverage.parquet`."""
    areas, coverage = published_areas(), published_coverage()
    for spec, frame in ((PUBLISHED_COUNTRY_AREA, areas), (COVERAGE, coverage)):
        write_table(frame, spec, writer.path(spec.file))
        writer.add(spec.file)
    facts = {"countries": int(areas["iso3"].nunique()), "excluded": len(PUBLISHED_COVERAGE.excluded)}
    return Outcome({"rows": len(areas), **facts, "latitude": PUBLISHED_COVERAGE.latitude, "source": SOURCE})


def published_coverage() -> pd.DataFrame:
    """Rows of `published_coverage`: codes with a figure, codes that are left out, codes counted under another."""
    listed = {code: ("published", code) for code in published_areas()["iso3"].unique()}
    excluded = {code: ("excluded", code) for code in PUBLISHED_COVERAGE.excluded}
    elsewhere = {code: ("counted elsewhere", under) for code, under in PUBLISHED_AS.items()}
    rows = [(code, *facts) for code, facts in sorted({**listed, **excluded, **elsewhere}.items())]
    frame = pd.DataFrame(rows, columns=["iso3", "coverage", "counted_as"])
    frame["latitude"], frame["floor_km2"] = PUBLISHED_COVERAGE.latitude, PUBLISHED_COVERAGE.floor_km2
    return conform(frame.assign(source=SOURCE), COVERAGE)
