"""Schemas of `site_history`: mines through all years."""

from minemap_assets.polygons.schemas import YEAR, Column, TableSpec, real, shape, text, texts, whole

_MASKS = "raw_masks"

_MINE = text("mine_id", "Id of the mine, the same in all years: the region and where its ground was first found.")
_REGION = text("region", "Slug of the region.", "sites", "region")

SITE_HISTORY = TableSpec(
    "site_history",
    "site_history",
    "Mines: connected ground that was mined in some year, with when that was. Each pixel is a chain of all its years.",
    (
        _MINE,
        texts("site_ids", "Sites on whose ground it lies.", "sites", "site_id"),
        _REGION,
        whole("first_year", "First year that observed half of its ground and shows it.", _MASKS, "file", "threshold"),
        whole(
            "first_year_low",
            "Earliest year by which most of its first ground may have been mined (posterior 2.5 %); null where it may "
            "be older than the record.",
            _MASKS,
            "file",
            nullable=True,
        ),
        whole(
            "first_year_high",
            "Year by which most of its first ground was mined almost surely (posterior 97.5 %); null where no year of "
            "the record makes that sure.",
            _MASKS,
            "file",
            nullable=True,
        ),
        real("first_year_posterior", "Posterior that most of this ground was mined by the first year, 0 to 1.", _MASKS),
        whole("last_year", "Last year that observed half of its ground and shows it.", _MASKS, "file", "threshold"),
        real("last_year_posterior", "Mean posterior of the ground that is mined in the last year, 0 to 1.", _MASKS),
        Column("still_visible", "bool", "True where the last year that observed half of its ground shows it."),
        real("ever_mined_km2", "Area that was mined in any year, in square kilometres.", _MASKS, "file"),
        real("peak_km2", "Largest area of a single year, in square kilometres.", _MASKS, "file"),
        whole("peak_year", "First year with that area.", _MASKS, "file"),
        whole("years_observed", "Years in which some of its ground was observed.", _MASKS, "file"),
        texts(
            "merged_ids",
            "Ids of other ground, known by itself, that has grown into it, and of its parts on other sites.",
        ),
        text("status", "final, or provisional while years of the temporal window around its first year are missing."),
        shape("geometry", "Ground that was mined in any year, in EPSG:4326.", _MASKS, "file"),
    ),
    ("mine_id",),
)

MINE_YEARS = TableSpec(
    "mine_years",
    "site_history",
    "Every mine in every year of the record: its area, and what happened since the last observed year.",
    (
        _MINE,
        _REGION,
        YEAR,
        real(
            "area_km2",
            "Area in square kilometres; zero where nothing is mined, null where nothing was observed.",
            _MASKS,
            "file",
            nullable=True,
        ),
        real(
            "expected_km2",
            "Sum of the posteriors over the ground that was mined by then; null where nothing was observed.",
            _MASKS,
            "file",
            nullable=True,
        ),
        real(
            "observed_share",
            "Share of the ground mined by then that was observed, 0 to 1.",
            _MASKS,
            "file",
        ),
        text(
            "event",
            "present (when the record begins), appeared, expanded, contracted, no longer visible, unchanged or "
            "not observed (less than half of its ground).",
        ),
        real(
            "change_km2",
            "Area gained, or lost, since the last year that observed half of it.",
            _MASKS,
            "file",
            nullable=True,
        ),
        real("gained_km2", "Expected area on which mining began since then.", _MASKS, "file", nullable=True),
        real("lost_km2", "Expected area on which mining ended since then.", _MASKS, "file", nullable=True),
        real(
            "change_posterior",
            "Posterior that the area has grown, or shrunk, as the expected gain and loss say, 0.5 to 1.",
            _MASKS,
            "file",
            nullable=True,
        ),
        text(
            "status",
            "final, or provisional while years of the window around it, or around the first, are missing.",
        ),
    ),
    ("mine_id", "year"),
)
