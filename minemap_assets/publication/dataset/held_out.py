"""The test set: sites with labels that the model was not trained on, and the outlines that it was scored against."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from minemap_assets.chips.assets import TRAINING_CHIPS
from minemap_assets.chips.build import INDEX
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import InputContext
from minemap_assets.publication.dataset.dataset_tables import Table, described, terms_of
from minemap_assets.publication.published import by_region
from minemap_assets.sites.assets import GROUND_TRUTH, SITES

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

HELD_OUT = "test"
"""The only split that no member of any model learns from or is chosen by."""

SITES_TABLE, OUTLINES_TABLE = "held_out_sites", "held_out_outlines"

_SITE_COLUMNS: Mapping[str, str] = {
    "split": "`test`: no model was trained on the site or chosen by it",
    "products": "Products in which the site has labelled model inputs",
    "chips": "Labelled model inputs of the site, over all products",
    "mine_fraction": "Mean share of their observed pixels that are mine, 0 to 1",
    "geometry": "Window of the site in EPSG:4326",
}


def held_out_tables(context: InputContext) -> Iterator[Table]:
    """The held-out sites, and the labelled outlines in their windows; nothing where there are none."""
    sites = held_out_sites(context)
    if not len(sites):
        return
    yield described(SITES_TABLE, "Sites with labels that were kept out of training.", sites, _SITE_COLUMNS)
    outlines = _outlines(context, sites)
    if len(outlines):
        terms = terms_of(context.project, "polygons")
        told = "Labelled outlines in the windows of held-out sites, from the reference sets, under the terms of these."
        yield described(OUTLINES_TABLE, told, outlines, {"site_id": "Held-out site in whose window it lies"}, terms)


def held_out_sites(context: InputContext) -> "gpd.GeoDataFrame":
    """A row for each region and site of the split `HELD_OUT`: its products (list), chips, and share of mine."""
    import geopandas as gpd
    import pandas as pd

    wanted = ["site_id", "split", "split_group", "mine_fraction"]
    frames = [
        pd.read_parquet(part.file(INDEX), columns=wanted).assign(product=ref.keys[0], region=ref.keys[1])
        for ref, part in context.inputs_of(TRAINING_CHIPS).items()
    ]
    chips = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*wanted, "product", "region"])
    chips = chips[chips["split"] == HELD_OUT]
    if not len(chips):
        return gpd.GeoDataFrame({"site_id": []}, geometry=[], crs="EPSG:4326")
    grouped = chips.groupby(["region", "site_id", "split", "split_group"], sort=True)
    rows = grouped.agg(
        products=("product", lambda names: sorted(set(names))),
        chips=("split", "size"),
        mine_fraction=("mine_fraction", "mean"),
    ).reset_index()
    windows = {
        (region, str(site)): window
        for region, part in by_region(context, SITES).items()
        for site, window in zip(*_columns(read_geoparquet(part.file("sites.parquet"))), strict=True)
    }
    rows = rows[[pair in windows for pair in zip(rows["region"], rows["site_id"], strict=True)]]
    places = [windows[pair] for pair in zip(rows["region"], rows["site_id"], strict=True)]
    return gpd.GeoDataFrame(rows.reset_index(drop=True), geometry=places, crs="EPSG:4326")


def _columns(sites: "gpd.GeoDataFrame") -> tuple["pd.Series[str]", "gpd.GeoSeries"]:
    return sites["site_id"], sites.geometry


def _outlines(context: InputContext, sites: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """The outlines of the layer `labels` that touch a held-out window, once for each window."""
    import geopandas as gpd
    import pandas as pd

    found = []
    for region, part in by_region(context, GROUND_TRUTH).items():
        truth = read_geoparquet(part.file("ground_truth.parquet"))
        labels = truth[truth["layer"] == "labels"].drop(columns=["layer", "group"], errors="ignore")
        here = sites[sites["region"] == region][["region", "site_id", "geometry"]]
        joined = labels.sjoin(here, predicate="intersects").drop(columns="index_right")
        found.append(joined.sort_values(["site_id", "truth_id"]))
    if not found:
        return gpd.GeoDataFrame({"truth_id": []}, geometry=[], crs="EPSG:4326")
    return pd.concat(found, ignore_index=True)
