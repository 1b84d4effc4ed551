"""Settings of the room publication."""

from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from minemap_assets.project.settings import StrictModel, WebAddress
from minemap_assets.publication.licences import LICENCES


class ReleaseConfig(StrictModel):
    """What keeps new figures from being published until a person has accepted them.

    A year is compared with what was accepted of it, or with the year before where it is new. A country waits where its
    area changed by more than the share `country_change` and by more than `country_change_km2`; a year waits where its
    covered share fell by more than `coverage_loss`, where another product was mapped, or where the verdict on the model
    fell. The `gate` is on, off, or automatic: on in a project whose schedules and sensors work by themselves
    (`automatic` in [operations]).
    """

    gate: Literal["automatic", "on", "off"] = "automatic"
    country_change: float = Field(0.25, gt=0.0, le=100.0)
    country_change_km2: float = Field(1.0, ge=0.0, le=1e6)
    coverage_loss: float = Field(0.05, ge=0.0, le=1.0)


class Author(StrictModel):
    """A person with `family` and `given` name, perhaps ORCID and affiliation; or an organisation by its `name`."""

    family: str = ""
    given: str = ""
    orcid: str = ""
    affiliation: str = ""
    name: str = ""

    @model_validator(mode="after")
    def _person_or_organisation(self) -> "Author":
        if bool(self.family) == bool(self.name):
            raise ValueError("an author has either a family name (and a given one) or, for an organisation, a name")
        return self


class DatasetConfig(StrictModel):
    """What the dataset files say of themselves.

    `title` and `description` stand in every file. `authors` are those whom a user of the data cites, such as
    `{ family = "FAMILY NAME", given = "GIVEN NAME" }` or `{ name = "Institute of Mines" }`; `version`,
    `doi` and `released` (the day) stand in the citation file where they are given. The database is under
    `licence_database`, its contents under `licence_contents` (SPDX identifiers); a licence that minemap does not know
    needs its web address in `licence_address`. Where there are more composites and masks than `most_raster_items`, STAC
    has items of those only whose pixels are in the folder.
    """

    title: str = Field("Mining areas by year", min_length=1)
    description: str = "Outlines of mining areas in satellite images, by year, with areas by site, region and country."
    authors: tuple[Author, ...] = ()
    version: str = ""
    doi: str = ""
    released: date | None = None
    licence_database: str = Field("ODbL-1.0", min_length=1)
    licence_contents: str = Field("DbCL-1.0", min_length=1)
    licence_address: WebAddress | None = None
    most_raster_items: int = Field(50_000, ge=0, le=10_000_000)

    @model_validator(mode="after")
    def _known_licences(self) -> "DatasetConfig":
        for name in (self.licence_database, self.licence_contents):
            if name not in LICENCES and self.licence_address is None:
                raise ValueError(
                    f"the licence {name!r} is not among {', '.join(LICENCES)}; say where it stands with licence_address"
                )
        return self
