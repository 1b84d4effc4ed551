"""A season that goes on, of a source that adds images day by day: whether there is enough of it to be mapped already.

Every region is looked at once a day at most, until its image is made.
"""

from dataclasses import dataclass
from datetime import date
from logging import Logger

from dagster_project.sensors.polling import Memory
from minemap_assets.errors import MinemapError
from minemap_assets.imagery.arrivals import Channel
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project


@dataclass
class OpenSeason:
    """How far regions were looked at today: up to `slug`, in the order of their slugs."""

    project: Project
    channel: Channel
    year: int
    today: date
    slug: str

    @classmethod
    def of(cls, project: Project, memory: Memory, channel: Channel, year: int, today: date) -> "OpenSeason":
        """As the memory has it."""
        day, slug = memory.looked.get(channel.key, {}).get(year, (today, ""))
        return cls(project, channel, year, today, slug if day == today else "")

    def has_enough(self, log: Logger, slug: str) -> bool:
        """Whether the catalogues show enough clear observations of a region's sites; False for one that was looked at
        today. Where nobody can say, a warning tells why.
        """
        from minemap_assets.planning.observations import observations

        if slug <= self.slug:
            return False
        self.slug = slug
        wanted = self.project.section(OperationsConfig).open_year_observations
        try:
            found = observations(self.project, slug, self.year)
        except MinemapError as error:
            log.warning("nobody can say how often %s was seen in %s, asked again tomorrow: %s", slug, self.year, error)
            return False
        seen = sum(found.by_month.values()) if found is not None else 0.0
        log.info("%s has %.1f of %g observations of %s", slug, seen, wanted, self.year)
        return seen >= wanted

    def remembered(self, memory: Memory) -> Memory:
        """The memory with how far was looked."""
        looked = {key: dict(years) for key, years in memory.looked.items()}
        looked.setdefault(self.channel.key, {})[self.year] = (self.today, self.slug)
        return memory.model_copy(update={"looked": looked})
