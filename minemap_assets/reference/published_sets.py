"""Published reference data sets: where they are to be had, under which licence, and what they hold.

No checksum is stated here: the first file that is fetched has its checksum written down, and later ones are compared
with it. Counts are those of the publications.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from minemap_assets.reference.catalogue import Kind, Role

_TANG = "https://zenodo.org/api/records/7894216/files/74548_projected%20polygons"


@dataclass(frozen=True)
class Dataset:
    """One data set. `files` are addresses by the name a file is given here, the first being the one that is opened;
    none where the publisher has no address that can be relied upon.
    """

    name: str
    title: str
    kind: Kind
    licence: str
    citation: str
    doi: str
    files: Mapping[str, str] = field(default_factory=dict)
    role: Role | None = None
    features: int | None = None
    reference_year: int | None = None
    megabytes: int | None = None

    @property
    def origin(self) -> str:
        """The DOI, or the address where there is none."""
        return f"doi:{self.doi}" if self.doi else next(iter(self.files.values()), "")


_EVERY = (
    Dataset(
        name="maus_2022",
        title="Global-scale mining polygons (version 2): broad outlines",
        kind="polygons",
        role="labels",
        licence="CC BY-SA 4.0",
        citation="Maus et al. 2022, An update on global mining land use, Scientific Data 9, 433",
        doi="10.1594/PANGAEA.942325",
        files={
            "global_mining_polygons_v2.gpkg": (
                "https://download.pangaea.de/dataset/942325/files/global_mining_polygons_v2.gpkg"
            )
        },
        features=44_929,
        reference_year=2019,
        megabytes=24,
    ),
    Dataset(
        name="tang_werner_2023",
        title="Global mining footprint: single features of mines",
        kind="polygons",
        role="labels",
        licence="CC BY 4.0",
        citation=(
            "Tang and Werner 2023, Global mining footprint mapped from high-resolution satellite imagery, "
            "Communications Earth & Environment 4, 134"
        ),
        doi="10.5281/zenodo.7894216",
        files={
            f"tang_werner_2023{part}": f"{_TANG}{part}/content" for part in (".shp", ".shx", ".dbf", ".prj", ".cpg")
        },
        features=74_548,
        reference_year=2019,
        megabytes=320,
    ),
    Dataset(
        name="country_boundaries",
        title="Natural Earth, countries at 1:10 million",
        kind="boundaries",
        licence="public domain",
        citation="Made with Natural Earth",
        doi="",
        files={
            "ne_10m_admin_0_countries.zip": (
                "https://naciscdn.org/naturalearth/10m/cultural/ne_10m_admin_0_countries.zip"
            )
        },
        megabytes=5,
    ),
    Dataset(
        name="validation_points",
        title="Control points, mine or not mine by year",
        kind="points",
        licence="",
        citation="",
        doi="",
    ),
)

DATASETS: Mapping[str, Dataset] = MappingProxyType({dataset.name: dataset for dataset in _EVERY})
"""By the name under which they are registered."""


def is_fetched(name: str) -> bool:
    """Whether a published set can be fetched by its address."""
    return name in DATASETS and bool(DATASETS[name].files)
