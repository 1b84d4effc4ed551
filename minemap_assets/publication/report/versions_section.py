"""The section on versions: what the maps were made from and with, under which terms, and how to cite them."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import pandas as pd

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.build import INDEX
from minemap_assets.polygons.assets import MINING_POLYGONS
from minemap_assets.publication.attribution import restricted
from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.document import Block, Column, Heading, Prose, Section, Table, missing, records
from minemap_assets.publication.report.gaps_section import years_in_words
from minemap_assets.publication.report.held_out_section import CHOSEN_ON
from minemap_assets.publication.report.material import Material
from minemap_assets.segmentation.assets import RAW_MASKS

PACKAGES = (
    *("minemap", "numpy", "pandas", "geopandas", "shapely", "pyproj", "rasterio", "duckdb", "torch", "transformers"),
    *("matplotlib", "jinja2"),
)
"""Software whose version may change a figure."""

PAPER = (
    "Sepin, Vashold and Kuschnig (2025), Mapping Mining Areas in the Tropics from 2016-2024, Nature Sustainability, "
    "doi:10.1038/s41893-025-01668-9, which this project implements anew"
)

_MOST_VALUES = 3
_LONGEST = 160


@dataclass(frozen=True, eq=False)
class Versions:
    """What made the maps: `sources` has a row for each year, product and source; `settings` and `codes` are what the
    parts were made with, by name, each with its values.
    """

    sources: pd.DataFrame
    settings: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, tuple[str, ...]]
    models: Mapping[str, tuple[int, ...]]
    software: Mapping[str, str]


def software() -> dict[str, str]:
    """Versions of what this machine makes the report with."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def versions_of(context: InputContext) -> Versions:
    """Read what the parts of the maps say of themselves."""
    settings: dict[str, set[str]] = {}
    for asset in (COMPOSITES, RAW_MASKS, MINING_POLYGONS):
        for part in context.inputs_of(asset).values():
            for name, value in part.manifest.settings.items():
                settings.setdefault(name, set()).add(value)
    codes: dict[str, set[str]] = {}
    for ref, part in context.inputs.items():
        codes.setdefault(f"{ref.room}/{ref.asset}", set()).add(part.manifest.code_version)
    models: dict[str, set[int]] = {}
    for ref, part in context.inputs_of(RAW_MASKS).items():
        models.setdefault(str(part.manifest.summary.get("model_version", "")), set()).add(int(ref.keys[1]))
    return Versions(
        _sources(context),
        {name: tuple(sorted(values)) for name, values in sorted(settings.items())},
        {name: tuple(sorted(values)) for name, values in sorted(codes.items())},
        {name: tuple(sorted(years)) for name, years in sorted(models.items())},
        software(),
    )


def _sources(context: InputContext) -> pd.DataFrame:
    columns = ["year", "product", "source", "first_date", "last_date", "processing_baseline", "site_id"]
    frames = [
        pd.DataFrame(read_geoparquet(part.file(INDEX))).reindex(columns=columns)
        for part in context.inputs_of(COMPOSITES).values()
    ]
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    grouped = rows.groupby(["year", "product", "source"], sort=True)
    return grouped.agg(
        sites=("site_id", "nunique"),
        first_date=("first_date", _least),
        last_date=("last_date", _most),
        baselines=("processing_baseline", lambda v: ", ".join(sorted({str(one) for one in v.dropna() if one})) or None),
    ).reset_index()


def _least(dates: "pd.Series[str]") -> str | None:
    known = [str(date) for date in dates.dropna() if str(date)]
    return min(known, default=None)


def _most(dates: "pd.Series[str]") -> str | None:
    known = [str(date) for date in dates.dropna() if str(date)]
    return max(known, default=None)


def versions_section(material: Material, versions: Versions) -> Section:
    """Products and sources, licences, the model, settings, software, and how to cite."""
    blocks: list[Block] = [
        Heading("Products and sources by year"),
        _source_table(versions),
        Heading("Inputs, their terms and whom to cite"),
        *_inputs(material),
        Heading("The model"),
        *_model(material, versions),
        Heading("Settings that shape the figures"),
        _settings(versions),
        Heading("Software"),
        *_software(versions),
        Heading("How to cite"),
        *_citation(material, versions),
    ]
    return Section("versions", "Versions, terms and how to cite", blocks)


def _source_table(versions: Versions) -> Block:
    if not len(versions.sources):
        return missing("No images were made yet. `minemap run` makes them.")
    rows = records(versions.sources.assign(year=versions.sources["year"].astype(int).astype(str)))
    return Table(
        "sources",
        "What the images of a year are, and where they come from",
        (
            Column("year", "Year", numeric=False),
            Column("product", "Product", numeric=False),
            Column("source", "Source", numeric=False),
            Column("sites", "Sites", say.count),
            Column("first_date", "Earliest image", missing="not known", numeric=False),
            Column("last_date", "Latest image", missing="not known", numeric=False),
            Column("baselines", "Processing baseline", missing="not recorded", numeric=False),
        ),
        rows,
        heads=3,
        source="the index of `imagery/imagery`",
    )


def _inputs(material: Material) -> list[Block]:
    if not material.inputs:
        return [missing("Nothing was registered or fetched yet.")]
    words = {True: "yes", False: "no", None: "no pixels"}
    rows = [
        {
            "name": one.name,
            "role": str(one.role),
            "licence": one.licence,
            "passed_on": words[one.redistributable],
            "citation": one.citation or None,
            "source": one.source or None,
        }
        for one in material.inputs
    ]
    table = Table(
        "inputs",
        "Every input with its licence or terms, in its publisher's words",
        (
            Column("name", "Input", numeric=False),
            Column("role", "What it is", numeric=False),
            Column("licence", "Licence or terms", numeric=False),
            Column("passed_on", "Pixels may be passed on", numeric=False),
            Column("citation", "Cite", missing="nothing recorded", numeric=False),
            Column("source", "Where it is to be had", missing="nothing recorded", numeric=False),
        ),
        rows,
    )
    closed = restricted(material.inputs)
    told: list[Block] = [table]
    if closed:
        names = say.listed([one.name for one in closed])
        shown = (
            " The settings of this report show pictures of them: keep it to yourself, unless the terms allow that."
            if material.restricted_pictures
            else ""
        )
        told.append(Prose(f"The terms of {names} do not allow passing pixels on, or are not known.{shown}", "warning"))
    return told


def _model(material: Material, versions: Versions) -> list[Block]:
    standing, card = material.standing, material.card
    if card is None:
        return [missing("No model is in use. `minemap promote` puts one in use.")]
    at = standing.promoted_at.replace("T", " at ").replace("+00:00", " UTC")
    decided = f", put in use by {standing.promoted_by} on {at}" if standing.promoted_by else ""
    blocks: list[Block] = [
        Prose(f"In use: model `{standing.version}`{decided}. {card.origin[:1].upper()}{card.origin[1:]}.")
    ]
    blocks += [Prose(say.sentence(note), "warning") for note in card.notes]
    others = {name: years for name, years in versions.models.items() if name != standing.version}
    if others:
        told = "; ".join(f"`{name[:12] or 'unknown'}` in {years_in_words(years)}" for name, years in others.items())
        blocks.append(Prose(f"Some masks were made with another model: {told}.", "warning"))
    rows = [
        {"product": name, "point": point, "threshold": float(at), "chosen_on": _chosen_on(about.chosen_on)}
        for name, about in sorted(card.products.items())
        for point, at in sorted(about.operating_points.items())
    ]
    columns = (
        Column("product", "Product", numeric=False),
        Column("point", "Operating point", numeric=False),
        Column("threshold", "Threshold", say.probability),
        Column("chosen_on", "Chosen on", numeric=False),
    )
    blocks.append(
        Table(
            "operating_points",
            "Operating points of the model in use",
            columns,
            rows,
            heads=2,
            note="The threshold is the probability from which a pixel counts as mine.",
            source="the card of the model",
        )
    )
    return blocks


def _chosen_on(word: str) -> str:
    return CHOSEN_ON.get(word, word)


def _settings(versions: Versions) -> Block:
    if not versions.settings:
        return missing("Nothing was made yet, so that no settings shaped it.")
    rows = [{"name": name, "values": _values(values)} for name, values in versions.settings.items()]
    columns = (Column("name", "Setting", numeric=False), Column("values", "Value", numeric=False))
    caption = "Settings and inputs that images, masks and polygons were made with"
    note = (
        "Values are those recorded when each part was made; several where parts differ. Areas are in square kilometres."
    )
    return Table("settings", caption, columns, rows, note=note)


def _values(values: tuple[str, ...]) -> str:
    shown = [value if len(value) <= _LONGEST else f"{value[:_LONGEST]} …" for value in values[:_MOST_VALUES]]
    left = len(values) - len(shown)
    return "; or ".join(shown) + (f"; or {say.counted(left, 'other value')}" if left else "")


def _software(versions: Versions) -> list[Block]:
    rows = [{"name": name, "version": number} for name, number in versions.software.items()]
    codes = [{"asset": name, "codes": ", ".join(numbers)} for name, numbers in versions.codes.items()]
    return [
        Table(
            "software",
            "Software that made this report; parts of the maps may have been made with earlier versions",
            (Column("name", "Software", numeric=False), Column("version", "Version", numeric=False)),
            rows,
        ),
        Table(
            "code_versions",
            "Code versions of the assets that this report reads",
            (Column("asset", "Asset", numeric=False), Column("codes", "Code version", numeric=False)),
            codes,
        ),
    ]


def _citation(material: Material, versions: Versions) -> list[Block]:
    years = material.seen_years
    span = f"{years[0]} to {years[-1]}" if len(years) > 1 else str(years[0]) if years else "no year yet"
    model = f"model {material.standing.version[:12]}" if material.standing.version else "no model"
    cited = sorted({one.citation for one in material.inputs if one.citation})
    blocks: list[Block] = [
        Prose(
            f"{material.title}, {span}. Mapped with minemap {versions.software['minemap']}, {model}. "
            f"What the model is worth: {material.standing.verdict}."
        ),
        Prose(f"Method: {PAPER}."),
    ]
    if cited:
        blocks.append(Prose(f"Inputs: {' '.join(cited)}"))
    return blocks
