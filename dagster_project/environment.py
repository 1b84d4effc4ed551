"""The process environment, read once, where the code location is assembled.

A project's own settings lie in the lake (`inputs/minemap.toml`, read by `minemap_assets/project/settings.py`).
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dagster_project.ui_guard import parse_host_option
from minemap_assets.errors import BadInputError
from minemap_assets.messages import explain


class Environment(BaseSettings):
    """`MINEMAP_HOME` is the lake, `MINEMAP_STATE` what belongs to this machine: Dagster's home and the DuckDB file.

    `MINEMAP_CACHE_GB` bounds the copies of an object store's files on this machine.
    `MINEMAP_ALLOW_HOSTS` are the names that the UI is reached by beside loopback, with commas between them.
    """

    model_config = SettingsConfigDict(env_prefix="MINEMAP_", env_file=".env", extra="ignore", frozen=True)
    home: str = "minemap-data/lake"
    state: Path = Path("minemap-data/state")
    executor: Literal["in_process", "multiprocess"] = "in_process"
    sample: int | None = Field(None, ge=1)
    cache_gb: float = Field(20.0, gt=0, le=1_000_000)
    allow_hosts: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("home", "state", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if not str(value).strip():
            raise ValueError("it is empty; give a folder, or unset it")
        return value

    @field_validator("allow_hosts", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(name for name in value.replace(",", " ").split() if name)
        try:
            return tuple(str(parse_host_option(name)) for name in names)
        except BadInputError as error:
            raise ValueError(str(error)) from error

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
