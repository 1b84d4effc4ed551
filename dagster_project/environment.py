"""The process environment, read once, where the code location is assembled.

A project's own settings lie in the lake (`inputs/minemap.toml`, read by `minemap_assets/project/settings.py`).
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from minemap_assets.errors import BadInputError
from minemap_assets.messages import explain


class Environment(BaseSettings):
    """`MINEMAP_HOME` is the lake, `MINEMAP_STATE` what belongs to this machine: Dagster's home and the DuckDB file."""

    model_config = SettingsConfigDict(env_prefix="MINEMAP_", env_file=".env", extra="ignore", frozen=True)
    home: str = "minemap-data/lake"
    state: Path = Path("minemap-data/state")
    executor: Literal["in_process", "multiprocess"] = "in_process"
    sample: int | None = Field(None, ge=1)

    @field_validator("home", "state", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if not str(value).strip():
            raise ValueError("it is empty; give a folder, or unset it")
        return value

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps runs and events."""
        return self.state.expanduser().absolute() / "dagster"


def read_environment() -> Environment:
    """The environment. Raises `BadInputError` naming the wrong variable."""
    try:
        return Environment()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        sentence = explain(error, Environment).removeprefix(name).removeprefix(": ").strip()
        raise BadInputError(f"MINEMAP_{name.upper()}: {sentence}".replace(": is ", " is ")) from error
