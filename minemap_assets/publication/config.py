"""Settings of the room publication."""

from typing import Literal

from pydantic import Field

from minemap_assets.project.settings import StrictModel


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
