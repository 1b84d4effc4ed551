"""What each column of the project's tables means, said once.

What belongs here: one sentence a column, with units. What does not: which table has which columns (each room).
"""

from types import MappingProxyType

_DESCRIPTIONS = MappingProxyType(
    {
        "acquisition_days": "Days of the pictures that gave pixels, `first/last` for a mosaic; empty where unknown",
        "acquisitions": "Ids of the scenes or mosaics that gave pixels",
        "area_km2": "Area in square kilometres, equal-area (EPSG:6933); null where nothing was observed",
        "bytes": "Size of the file in bytes",
        "bytes_read": "Bytes read from the source",
        "chip": "Row of the chip in the array",
        "clear_count_mean": "Mean number of clear observations a pixel",
        "clear_fraction": "Share of pixels that were observed, 0 to 1",
        "cloud_mask": "What decided which pixels are cloud; `none` where nothing did and all count as ground",
        "column": "First column of the chip in its site's 5 m grid",
        "continent": "Continent of the country",
        "country_iso3": "ISO 3166-1 alpha-3 code of the country with the largest share; empty where unassigned",
        "country_name": "Name of the country with the largest share",
        "covered_share": "Share of the expected ground that was observed, 0 to 1",
        "crs": "Coordinate reference system of the grid",
        "file": "File of this row inside the partition",
        "first_date": "Date of the earliest image used",
        "geometry": "Outline in EPSG:4326",
        "ground_resolution": "Pixel size on the ground in metres",
        "group": "Label of ground that must stay in one split",
        "height": "Rows of the grid",
        "iso3": "ISO 3166-1 alpha-3 code",
        "label": "True where the point lies in a mining area",
        "largest_gap_days": "Most days of the season in a row without a picture that gave pixels; null where unknown",
        "largest_gap_ha": "Hectares of the largest patch of unobserved pixels, joined by sides or corners",
        "last_date": "Date of the latest image used",
        "latitude": "Latitude of the window's centre in degrees",
        "layer": "`labels` trains the model, `outlines` locates sites",
        "longitude": "Longitude of the window's centre in degrees",
        "mean_probability": "Mean calibrated probability of mining inside the outline",
        "mine_fraction": "Share of observed pixels that are mine, 0 to 1",
        "model_version": "Content hash of the model that made it",
        "name": "Name",
        "observed_fraction": "Share of pixels that were observed, 0 to 1",
        "observed_share": "Share of the ground the site owns that was observed, 0 to 1",
        "offset": "What was added to the raw digital numbers",
        "operating_point": "The purpose of the threshold: match_area, max_miou or the user's",
        "origin": "`reference` for sites from ground truth, `promoted` for sites a person added",
        "outline_km2": "Area of the outline the site was made from, in square kilometres",
        "point_id": "Id of the validation point",
        "polygon_id": "Id of the polygon, unique in the project",
        "polygons": "Number of mining polygons",
        "processing_baseline": "Processing baseline of the product, where it has one",
        "product": "What the image looks like: planet-nicfi, sentinel-2-l2a or sentinel-2-l1c",
        "raw_id": "Id of the outline before postprocessing",
        "redistributable": "Whether the terms of use allow passing the pixels on",
        "region": "Slug of the region",
        "row": "First row of the chip in its site's 5 m grid",
        "sets": "Reference sets the outline comes from",
        "sha256": "Checksum of the file",
        "site_id": "Id of the site, made from its position",
        "site_ids": "Sites whose ground the polygon covers",
        "sites_expected": "Sites that should have been observed",
        "sites_observed": "Sites that were observed",
        "source": "Where the pixels come from",
        "sources": "Where the pixels come from",
        "split": "train, validation or test",
        "split_group": "Spatial block; all its chips are in one split",
        "status": "`final`, or `provisional` while years of the temporal window are missing",
        "temporal_rule": "The rule that links years",
        "terms": "Terms of use of the pixels",
        "threshold": "Probability at or above which a pixel is mine",
        "transform": "Affine transform of the grid: a, b, c, d, e, f",
        "truth_id": "Id of the ground-truth outline",
        "width": "Columns of the grid",
        "year": "Year",
    }
)


def describe(column: str) -> str | None:
    """The sentence for a column; None for one that is not listed."""
    return _DESCRIPTIONS.get(column)
