"""What Dagster is told of a partition: readable figures, the important ones first, and every column described."""

import dagster as dg
import pyarrow.parquet as pq
import pytest

from dagster_project.registry import ROOMS
from minemap_assets.graph.column_descriptions import describe
from minemap_assets.graph.fact_words import file_size, in_order, in_units, label
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.metadata import KEPT, MADE, STORY, made_metadata, picture_path
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import Manifest
from minemap_assets.project.project import Project
from tiny import Chain

INLINE = 1000
"""Characters below which Dagster shows Markdown at once, and not as a link that opens a dialog."""

VERDICT = {
    "model_evaluation",
    "promoted_model",
    "raw_masks",
    "reference_masks",
    "raw_polygons",
    "mining_polygons",
    "site_history",
    "database",
} | {
    "polygons",
    "site_panel",
    "country_summary",
    "region_summary",
}
PICTURES = {
    "segmentation_model",
    "model_evaluation",
    "imagery",
    "reference_imagery",
    "raw_masks",
    "reference_masks",
    "raw_polygons",
    "mining_polygons",
    "site_history",
    "source_continuity",
}


@pytest.fixture(scope="module")
def project(finished: Chain) -> Project:
    return finished.project


@pytest.fixture(scope="module")
def newest(project: Project) -> list[tuple[Asset, Manifest]]:
    """Each asset with one of its partitions."""
    graph = Graph(ROOMS, project)
    found = [(asset, list(project.lake.manifests(asset.room, asset.name))) for asset in graph.assets]
    return [(asset, manifests[-1]) for asset, manifests in found if manifests]


def told(project: Project, asset: Asset, manifest: Manifest) -> dict[str, object]:
    return made_metadata(project, asset, manifest, story=MADE)


def test_every_column_of_every_table_is_described(project: Project, newest: list[tuple[Asset, Manifest]]) -> None:
    for asset, manifest in newest:
        partition = project.lake.open(manifest.ref)
        for name in (n for n in partition.names() if n.endswith(".parquet")):
            for column in set(pq.read_schema(partition.file(name)).names) - {"bbox"}:
                assert asset.columns.descriptions.get(column) or describe(column), f"{asset} {name}: {column}"
        schema = told(project, asset, manifest).get("dagster/column_schema")
        if isinstance(schema, dg.TableSchema):
            assert all(column.description for column in schema.columns), asset


def test_the_verdict_and_the_picture_stand_before_every_figure(
    project: Project, newest: list[tuple[Asset, Manifest]]
) -> None:
    for asset, manifest in newest:
        names = list(told(project, asset, manifest))
        told_first = {"source_continuity": ["effect of a swap"]}.get(asset.name, [])
        verdict = ["verdict on the model"] * (asset.name in VERDICT)
        first = [*verdict, *told_first, *["picture"] * (asset.name in PICTURES)]
        assert names[: len(first)] == first, asset
        assert ("picture" in names) == (asset.name in PICTURES), asset


def test_quality_comes_before_areas() -> None:
    found = in_order(["area_km2", "zebras", "clear_fraction_mean", "sites", "verdict"])
    assert found == ["verdict", "clear_fraction_mean", "sites", "area_km2", "zebras"]


def test_figures_are_rounded_and_in_the_unit_of_their_label() -> None:
    assert (label("clear_fraction_mean"), in_units("clear_fraction_mean", 0.99218)) == ("clear ground, mean (%)", 99.2)
    assert (label("area_km2"), in_units("area_km2", 1.358262)) == ("area (km²)", 1.358)
    assert in_units("bytes_read", 12_400_000) == "12.4 MB"
    assert in_units("model_version", "f2c0f247c26e340bd85619d7516d") == "f2c0f247c26e"
    assert (label("dropped_by_the_temporal_rule"), in_units("dropped", 3)) == ("dropped by the temporal rule", 3)
    assert [file_size(n) for n in (812, 56_116, 3_346_174, 2_100_000_000)] == [
        "812 bytes",
        "56.1 kB",
        "3.3 MB",
        "2.1 GB",
    ]


def test_the_size_is_readable_and_can_be_plotted(project: Project, newest: list[tuple[Asset, Manifest]]) -> None:
    for asset, manifest in newest:
        facts = told(project, asset, manifest)
        size = sum(f.bytes for f in manifest.files)
        assert (facts["size"], facts["size (bytes)"], "bytes" in facts) == (file_size(size), size, False)


def test_an_event_is_small_and_shows_its_picture_and_tables_at_once(
    project: Project, newest: list[tuple[Asset, Manifest]]
) -> None:
    """Thousands of them lie in the instance; what is longer is hidden behind a link."""
    for asset, manifest in newest:
        facts = told(project, asset, manifest)
        event = dg.AssetMaterialization(dg.AssetKey([asset.room, asset.name]), metadata=facts)
        assert len(dg.serialize_value(event)) < 20_000, asset
        for name, value in facts.items():
            if isinstance(value, dg.MarkdownMetadataValue):
                assert len(value.md_str or "") < INLINE, f"{asset}: {name}"
        if "picture" in facts:
            picture = facts["picture"]
            assert isinstance(picture, dg.MarkdownMetadataValue)
            assert picture.md_str == f"![{manifest.ref}]({picture_path(manifest)})"


def test_a_partition_made_again_has_another_picture(newest: list[tuple[Asset, Manifest]]) -> None:
    manifest = next(m for a, m in newest if a.name == "imagery")
    changed = manifest.model_copy(update={"files": manifest.files[:-1]})
    assert picture_path(changed) != picture_path(manifest)
    assert picture_path(manifest).startswith(f"/pictures/{manifest.ref.prefix}/")


def test_tables_begin_with_what_their_rows_are_about(project: Project, newest: list[tuple[Asset, Manifest]]) -> None:
    facts = next(told(project, a, m) for a, m in newest if a.name == "country_summary")
    table = facts["largest countries"]
    assert isinstance(table, dg.MarkdownMetadataValue)
    assert (table.md_str or "").splitlines()[0] == "| country | area km2 | polygons |"


def test_what_was_kept_says_so(project: Project, newest: list[tuple[Asset, Manifest]]) -> None:
    asset, manifest = newest[0]
    assert made_metadata(project, asset, manifest, story=KEPT)[STORY] == "kept: nothing it depends on has changed"
