"""Settings: one TOML file, checked as a whole, one section for each room and each source.

The sections themselves belong to the rooms, which hand them in; nothing here knows any of them.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from minemap_assets.errors import BadInputError
from minemap_assets.messages import explain

SETTINGS_PATH = "inputs/minemap.toml"

EARLIEST_YEAR = 2015
"""No product has images of an earlier year: Sentinel-2A was launched in June, the first basemap is of December."""

LATEST_YEAR = 2100
"""A later year is a slip of the pen."""

LARGEST_SEED = 2**32 - 1
"""The largest number from which every generator of random numbers can start."""

FIRST_YEAR = 2016
"""The first year of a project that does not set one (paper: 2016 to 2024)."""

Preset = Literal["default", "parity"]
Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """Values that stay as they are, under known names only; numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _web_address(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError(f"{value!r} is no web address; write https://...")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]
"""Without the slash at its end."""


class PresetModel(StrictModel):
    """A section in which the preset `parity` stands for the published rule, wherever no value is given."""

    PARITY: ClassVar[Mapping[str, Any]] = {}
    """What the published rule sets; only where outcomes measurably differ from the defaults."""

    preset: Preset = "default"

    @model_validator(mode="before")
    @classmethod
    def _preset_values(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("preset") == "parity":
            return {**cls.PARITY, **data}
        return data


@dataclass(frozen=True)
class Section:
    """One section of the file and what may stand in it: `polygons`, or `sources.stac` for a table inside a section."""

    name: str
    model: type[BaseModel]


class General(StrictModel):
    """What holds for the whole file.

    `preset` is the rule of every section that has one and does not say otherwise. `first_year` is the first year of the
    project's maps, `last_year` the last one of a project that is not to go on. A run refuses to lose more than the
    share `most_dropped` of a partition's rasters without being told to. What it drops lies in the trash for
    `trash_days` until `minemap prune` empties it. A run that meets another one at the same partition waits for it,
    `wait_minutes` at most.
    """

    preset: Preset = "default"
    first_year: int = Field(FIRST_YEAR, ge=EARLIEST_YEAR, le=LATEST_YEAR)
    last_year: int | None = Field(None, ge=EARLIEST_YEAR, le=LATEST_YEAR)
    most_dropped: float = Field(0.2, ge=0.0, le=1.0)
    trash_days: int = Field(90, ge=0, le=36_500)
    wait_minutes: float = Field(720.0, ge=0.0, le=100_000.0)

    @model_validator(mode="after")
    def _in_order(self) -> "General":
        if self.last_year is not None and self.last_year < self.first_year:
            raise ValueError(
                f"last_year {self.last_year} is before first_year {self.first_year}, so that no year would be mapped"
            )
        return self


@dataclass(frozen=True)
class Settings:
    """All settings of a project."""

    general: General
    sections: Mapping[type[BaseModel], BaseModel]

    def section(self, model: type[Model]) -> Model:
        """The section that a room or source handed in with this class. Raises `KeyError` for one that nobody did."""
        found = self.sections[model]
        assert isinstance(found, model)
        return found


def file_model(sections: Sequence[Section]) -> type[BaseModel]:
    """The form of the whole file."""
    return _file_model(tuple(sections))


@cache
def _file_model(sections: tuple[Section, ...]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    inner: dict[str, list[Section]] = {}
    for section in sections:
        outer, dot, name = section.name.partition(".")
        if dot:
            inner.setdefault(outer, []).append(Section(name, section.model))
            fields.setdefault(outer, None)
        else:
            fields[outer] = (section.model, Field(default_factory=section.model))
    for outer, parts in inner.items():
        model = create_model(
            outer.title(),
            __base__=StrictModel,
            __doc__=f"Settings of single {outer}.",
            **{part.name: (part.model, Field(default_factory=part.model)) for part in parts},  # type: ignore[call-overload]
        )
        fields[outer] = (model, Field(default_factory=model))
    return create_model("SettingsFile", __base__=General, __doc__=General.__doc__, **fields)


def parse_settings(text: str | bytes, sections: Sequence[Section], where: str = SETTINGS_PATH) -> Settings:
    """Settings from TOML. Raises `BadInputError` naming the file, the first wrong entry and what is valid there."""
    model = file_model(sections)
    try:
        raw = tomllib.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInputError(f"{where} is not text in UTF-8; save it in that encoding") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(
            f"{where} is not valid TOML: {error}; a setting is written as name = value under its [section], text in "
            "quotes"
        ) from error
    except RecursionError as error:
        raise BadInputError(f"{where} is nested deeper than any setting; take out the brackets that do it") from error
    except ValueError as error:
        raise BadInputError(f"{where} has a number with too many digits to be one; correct it") from error
    try:
        return _settings(model.model_validate(_with_preset(raw, sections)), sections)
    except ValidationError as error:
        raise BadInputError(f"{where}: {explain(error, model)}") from error
    except RecursionError as error:
        raise BadInputError(f"{where} is nested deeper than any setting; take out the names that do it") from error


def default_settings(sections: Sequence[Section]) -> Settings:
    """The settings of a project without a file."""
    return _settings(file_model(sections)(), sections)


def _settings(whole: Any, sections: Sequence[Section]) -> Settings:
    found: dict[type[BaseModel], BaseModel] = {}
    for section in sections:
        value = whole
        for name in section.name.split("."):
            value = getattr(value, name)
        found[section.model] = value
    return Settings(General(**{name: getattr(whole, name) for name in General.model_fields}), found)


def _with_preset(raw: dict[str, Any], sections: Sequence[Section]) -> dict[str, Any]:
    """The file's tables, in which sections that know presets follow the file's."""
    if raw.get("preset") != "parity":
        return raw
    knowing = {s.name for s in sections if issubclass(s.model, PresetModel)}
    tables = {name: raw.get(name, {}) for name in knowing}
    return raw | {name: {"preset": "parity", **said} for name, said in tables.items() if isinstance(said, Mapping)}
