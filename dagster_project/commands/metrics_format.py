"""Metrics in the text format of Prometheus (version 0.0.4), and putting them into a file at once."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from minemap_assets.errors import BadInputError

Labels = Mapping[str, str]


class Kind(Enum):
    """A number of now, or one that only grows."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True)
class Sample:
    """One number, with what tells it apart."""

    value: float
    labels: Labels


@dataclass(frozen=True)
class Family:
    """Samples of one name, and a sentence on what they are."""

    name: str
    help: str
    samples: Sequence[Sample]
    kind: Kind = Kind.GAUGE

    def text(self) -> str:
        """Its lines; empty without a sample."""
        if not self.samples:
            return ""
        head = [f"# HELP {self.name} {_escaped(self.help)}", f"# TYPE {self.name} {self.kind.value}"]
        lines = [f"{self.name}{_braces(one.labels)} {_number(one.value)}" for one in self.samples]
        return "\n".join([*head, *lines]) + "\n"


def render(families: Sequence[Family]) -> str:
    """The whole document."""
    return "".join(family.text() for family in families)


def write(text: str, file: Path) -> None:
    """Put a document into a file at once: who reads it, such as node_exporter, never finds half of one.

    Raises `BadInputError` where the file cannot be written.
    """
    part: Path | None = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # node_exporter reads what ends in .prom, so the beginnings of a file may not
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
        part = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as written:
            written.write(text)
        part.chmod(0o644)
        part.replace(file)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        raise BadInputError(
            f"--output: {file} cannot be written ({error.strerror}); name a file in a folder that may be written to"
        ) from error


def _braces(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_quoted(value)}"' for name, value in sorted(labels.items()))
    return f"{{{inner}}}" if inner else ""


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', '\\"')


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
