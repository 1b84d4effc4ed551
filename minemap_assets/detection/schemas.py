"""Schemas of the detection room's tables."""

from minemap_assets.polygons.schemas import YEAR, TableSpec, real, reals, shape, text, whole

_SCORES, _DETECTIONS, _CLASSIFIER = "patch_scores", "detections", "patch_classifier"
_REGION = text("region", "Slug of the region.")
_PATCH = text("patch_id", "Tile, row and column: the same for every region, year and source.")

PATCH_SCORES = TableSpec(
    "patch_scores",
    _SCORES,
    "Every patch of a region, observed or not, with what the classifier says of it.",
    (
        _PATCH,
        text("tile", "Tile that the patch was scored in.", "scan_imagery", "site_id"),
        whole("row", "Rows of patches south of the tile's northern edge, from 0 to 22."),
        whole("column", "Columns of patches east of the tile's western edge, from 0 to 22."),
        real("longitude", "Longitude of the patch's centre, degrees."),
        real("latitude", "Latitude of the patch's centre, degrees."),
        real("observed_share", "Share of its pixels that were observed, 0 to 1.", "scan_imagery", "file"),
        real("observations", "Clear observations a pixel, on average.", "scan_imagery", "file"),
        real("score", "Mean score of the members, 0 to 1; null where it was not observed.", nullable=True),
        reals("member_scores", "Score of each member; empty where it was not observed."),
    ),
    ("patch_id",),
)

PATCHES = TableSpec(
    "patches",
    _DETECTIONS,
    "Patches that score high enough to be listed.",
    (
        _PATCH,
        _REGION,
        YEAR,
        real("score", "Mean score of the members, 0 to 1.", _SCORES, "score"),
        reals("member_scores", "Score of each member.", _SCORES, "member_scores"),
        real("observations", "Clear observations a pixel, on average.", _SCORES, "observations"),
        text("detection_id", "Detection that it belongs to; null where it is listed only.", nullable=True),
        shape("geometry", "Square of 480 m in EPSG:4326.", _SCORES, "tile", "row", "column"),
    ),
    ("patch_id",),
)

DETECTIONS = TableSpec(
    "detections",
    _DETECTIONS,
    "Patches that pass the rule, joined where they touch.",
    (
        text("detection_id", "Region, year and geohash of its centre."),
        _REGION,
        YEAR,
        text("country_iso3", "Country with the largest share of it.", "country_boundaries", "iso3"),
        whole("patches", "How many patches it is made of."),
        real("patch_area_km2", "Area of its patches (EPSG:6933): several times that of the mine in them."),
        real("score_mean", "Mean score of its patches.", _SCORES, "score"),
        real("score_max", "Highest score of its patches.", _SCORES, "score"),
        real("observations", "Clear observations a pixel of its patches, on average.", _SCORES, "observations"),
        text("product", "Imagery product that was scanned."),
        text("classifier_version", "Hash of the classifier.", _CLASSIFIER),
        shape("geometry", "Outline of its patches in EPSG:4326.", _SCORES, "tile", "row", "column"),
    ),
    ("detection_id",),
)

UNSEEN = TableSpec(
    "not_observed",
    _DETECTIONS,
    "Ground of the region of which no patch was observed: nothing is said of it.",
    (
        _REGION,
        YEAR,
        whole("number", "Number of the piece of ground."),
        real("area_km2", "Equal-area (EPSG:6933) area in square kilometres."),
        shape("geometry", "Outline in EPSG:4326.", _SCORES, "tile", "row", "column"),
    ),
    ("number",),
)

CUMULATIVE = TableSpec(
    "cumulative_detections",
    "cumulative_detections",
    "Outlines of all detections through each year.",
    (
        _REGION,
        YEAR,
        whole("number", "Number of the outline within its year, from the west."),
        real("patch_area_km2", "Equal-area (EPSG:6933) area in square kilometres."),
        shape("geometry", "Outline in EPSG:4326.", _DETECTIONS, "geometry"),
    ),
    ("year", "number"),
)

ADDED = TableSpec(
    "added_detections",
    "cumulative_detections",
    "What each year adds to the outlines of all years before it.",
    CUMULATIVE.columns,
    ("year", "number"),
)

CANDIDATES = TableSpec(
    "candidate_sites",
    "candidate_sites",
    "Detections of any year that lie outside the windows of all known sites.",
    (
        text("candidate_id", "Region and geohash of its centre."),
        _REGION,
        text("country_iso3", "Country with the largest share of it.", "country_boundaries", "iso3"),
        whole("first_year", "First year in which it was detected.", _DETECTIONS, "year"),
        whole("last_year", "Last year in which it was detected.", _DETECTIONS, "year"),
        whole("years", "In how many years it was detected.", _DETECTIONS, "year"),
        whole("years_scanned", "In how many years its ground was observed.", _DETECTIONS, "year"),
        real("score_max", "Highest score of its patches in any year.", _DETECTIONS, "score_max"),
        real("patch_area_km2", "Area of its patches of all years (EPSG:6933)."),
        real("site_distance_km", "Distance to the window of the nearest known site; null without one.", nullable=True),
        real("longitude", "Longitude of its centre, degrees."),
        real("latitude", "Latitude of its centre, degrees."),
        shape("geometry", "Outline of its patches of all years in EPSG:4326.", _DETECTIONS, "geometry"),
    ),
    ("candidate_id",),
)

SUMMARY = TableSpec(
    "detection_summary",
    "detection_summary",
    "Detections of each region and year, by region, country, area of an overlay, or distance to one.",
    (
        _REGION,
        YEAR,
        text("by", "What the row sums up by: region, country, or the name of an overlay."),
        text("name", "Region, ISO 3166 code, name of the area, or range of distance.", _DETECTIONS, "country_iso3"),
        whole("detections", "How many detections lie there, wholly or in part.", _DETECTIONS, "detection_id"),
        real("patch_area_km2", "Area of their patches there (EPSG:6933).", _DETECTIONS, "geometry"),
        real(
            "outlined_km2",
            "Area of the mining polygons in these patches; null where the year was not outlined.",
            "mining_polygons",
            "geometry",
            nullable=True,
        ),
        real("not_observed_km2", "Ground of the region that was not observed; null in other rows.", nullable=True),
    ),
    ("region", "year", "by", "name"),
)
