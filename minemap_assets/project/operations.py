"""The settings section `[operations]`: what runs by itself, when, and whom it tells of a failure."""

from typing import Literal

from pydantic import Field, field_validator

from minemap_assets.project.settings import StrictModel

Way = Literal["webhook", "email"]


class OperationsConfig(StrictModel):
    """What runs by itself.

    `automatic` is the one switch: with it, every schedule and sensor is on from the start; without it, each waits until
    somebody turns it on in the UI. The annual update comes on the day `annual_day` of the month `annual_month` at
    `annual_hour` o'clock (UTC), and asks for the year whose season is over. Sources are asked every `poll_minutes` what
    they hold. No sensor has more than `requests_at_once` runs under way. What failed is asked for again after
    `retry_minutes`, then after twice as long each time, up to a day. The image of a season that goes on is made once
    the catalogues show `open_year_observations` clear observations of its sites, and again when the season is over; 0
    leaves such a season alone. `alerts` are the ways in which failures of runs are told beside the log, each used where
    the environment says where to; the same failure is told again only after `alert_minutes`.
    """

    automatic: bool = False
    annual_month: int = Field(1, ge=1, le=12)
    annual_day: int = Field(15, ge=1, le=28)
    annual_hour: int = Field(6, ge=0, le=23)
    poll_minutes: float = Field(60.0, ge=1.0, le=10_080.0)
    requests_at_once: int = Field(25, ge=1, le=10_000)
    retry_minutes: float = Field(60.0, ge=0.0, le=10_080.0)
    open_year_observations: float = Field(6.0, ge=0.0, le=1_000.0)
    alerts: tuple[Way, ...] = ("webhook", "email")
    alert_minutes: float = Field(360.0, ge=0.0, le=10_080.0)

    @field_validator("alerts")
    @classmethod
    def _each_once(cls, value: tuple[Way, ...]) -> tuple[Way, ...]:
        return tuple(dict.fromkeys(value))

    @property
    def annual_cron(self) -> str:
        """When the annual update comes, as a cron line."""
        return f"0 {self.annual_hour} {self.annual_day} {self.annual_month} *"
