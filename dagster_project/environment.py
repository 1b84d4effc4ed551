"""The process environment, read once, where the code location is assembled.

A project's own settings lie in the lake (`inputs/minemap.toml`, read by `minemap_assets/project/settings.py`).
"""

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dagster_project.ui_guard import parse_host_option
from minemap_assets.errors import BadInputError
from minemap_assets.messages import explain

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<slashes>/+)(?P<rest>.*)")
"""A scheme has two letters or more: one alone is a drive."""

COPIES = ("lake-cache", "backup-copies")
"""Folders of the state with copies of objects of a remote lake or backup (`lake/copies.py`)."""

CACHES = ("cache", "stac-cache", "downloads")
"""Folders of the state with what was fetched from services and can be fetched again."""

_EMPTIED = ("dagster", *COPIES, *CACHES)
"""Folders of the state that minemap, or whoever begins anew, empties."""

_OWN = ("inputs", ".staging", ".trash", ".leases", ".usage")
"""Folders of a lake in which nothing else may lie: it is taken for an input, or removed."""


class Environment(BaseSettings):
    """`MINEMAP_HOME` is the lake, `MINEMAP_STATE` what belongs to this machine: Dagster's home and the DuckDB file.

    `MINEMAP_EXECUTOR` is how steps are run (`executors.py`); `local` is another word for `in_process`.
    `MINEMAP_CACHE_GB` bounds the copies of an object store's files on this machine.
    `MINEMAP_ALLOW_HOSTS` are the names that the UI is reached by beside loopback, with commas between them.
    `MINEMAP_CONTACT` is told to every service that is asked, by `net/client.py`.
    """

    model_config = SettingsConfigDict(env_prefix="MINEMAP_", env_file=".env", extra="ignore", frozen=True)
    home: str = "minemap-data/lake"
    state: Path = Path("minemap-data/state")
    executor: Literal["in_process", "multiprocess", "ray", "k8s"] = "in_process"
    sample: int | None = Field(None, ge=1)
    cache_gb: float = Field(20.0, gt=0, le=1_000_000)
    allow_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    contact: str = ""

    @field_validator("home", "state", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if not str(value).strip():
            raise ValueError("it is empty; give a folder, or unset it")
        return value

    @field_validator("executor", mode="before")
    @classmethod
    def _local(cls, value: object) -> object:
        return "in_process" if value == "local" else value

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
    """The environment. Raises `BadInputError` naming the variable that is wrong, or leads to no folder."""
    try:
        environment = Environment()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        sentence = explain(error, Environment).removeprefix(name).removeprefix(": ").strip()
        raise BadInputError(f"MINEMAP_{name.upper()}: {sentence}".replace(": is ", " is ")) from error
    except OSError as error:
        raise BadInputError(f"{Path('.env').absolute()} cannot be looked at ({error.strerror})") from error
    _check_places(environment.home, environment.state)
    return environment


def _check_places(home: str, state: Path) -> None:
    """Look whether the lake and the state are where something can lie, without making or writing anything."""
    if _URL.match(str(state)):
        _refuse("MINEMAP_STATE", state, "is no folder of this machine, which Dagster's records need; name one")
    _check_folder("MINEMAP_STATE", _absolute(state))
    found = _URL.match(home)
    if found is None:
        _check_folder("MINEMAP_HOME", _absolute(Path(home)))
        _check_apart(_absolute(Path(home)).resolve(), _absolute(state).resolve())
    elif found["scheme"].lower() == "file":
        _refuse("MINEMAP_HOME", home, f"is the address of a folder; name the folder itself, /{found['rest']}")
    elif found["slashes"] != "//":
        url = f"{found['scheme']}://{found['rest']}"
        _refuse("MINEMAP_HOME", home, f"is neither a folder nor an object store's URL; write {url}, with two slashes")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _check_folder(variable: str, folder: Path) -> None:
    """Look at a folder, or the first above it that is there."""
    for place in (folder, *folder.parents):
        try:
            kind = place.stat().st_mode
        except NotADirectoryError:
            continue
        except FileNotFoundError:
            if place.is_symlink():
                _refuse(
                    variable, folder, f"is not there: {place} is a link that leads nowhere; mend it, or name a folder"
                )
            continue
        except OSError as error:
            why = (
                f"cannot be looked at ({place}: {error.strerror}); name another folder, or have its permissions changed"
            )
            _refuse(variable, folder, why)
        if not stat.S_ISDIR(kind):
            where = "is a file" if place == folder else f"cannot be a folder: {place} is a file"
            _refuse(variable, folder, f"{where}; name a folder, which is made where there is none")
        needed = os.R_OK | os.X_OK if place == folder else os.X_OK
        if not os.access(place, needed, effective_ids=os.access in os.supports_effective_ids):
            why = f"cannot be read: this account may not look into {place}"
            _refuse(variable, folder, f"{why}; name another folder, or change its permissions")
        return


def _check_apart(home: Path, state: Path) -> None:
    """Refuse what belongs to one machine in what is shared and kept, and what is kept where things are removed."""
    if home == state:
        _refuse(
            "MINEMAP_STATE",
            state,
            "is MINEMAP_HOME too, but what belongs to this machine alone does not belong in the lake; name another "
            f"folder, such as {state.parent / 'state'}",
        )
    if any(home.is_relative_to(state / name) for name in _EMPTIED):
        _refuse("MINEMAP_HOME", home, f"lies where {state} (MINEMAP_STATE) keeps copies, which go; name another folder")
    if any(state.is_relative_to(home / name) for name in _OWN):
        _refuse(
            "MINEMAP_STATE", state, f"lies among the lake's own files in {home} (MINEMAP_HOME); name another folder"
        )


def _refuse(variable: str, value: object, why: str) -> NoReturn:
    shown = repr(value) if isinstance(value, str) else str(value)
    raise BadInputError(f"{variable} is {shown}, which {why}")
