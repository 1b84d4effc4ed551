"""The documentation as tests read it: its blocks of code, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from house import ROOT

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

PAGES = tuple(
    sorted(p.relative_to(ROOT).as_posix() for p in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")] if p.is_file())
)
"""Every page, by its path from the root."""


@dataclass(frozen=True)
class Line:
    """One line of a shell block: the page it stands on, and its words; comments are left out."""

    page: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """The words with one space between them."""
        return " ".join(self.words)


def blocks(page: str, language: str) -> Iterator[str]:
    """The text of a page's blocks in a language, in order."""
    for found in _BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        if found["language"] == language:
            yield found["text"]


def shell_lines(page: str) -> Iterator[Line]:
    """Every line of a page's shell blocks; a backslash at the end joins the next one."""
    for text in blocks(page, "sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = tuple(shlex.split(line, comments=True))
            if words:
                yield Line(page, words)


def script_lines(path: Path) -> Iterator[Line]:
    """The commands `minemap` of a shell script."""
    for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if line.strip().startswith("minemap "):
            yield Line(path.name, tuple(shlex.split(line, comments=True)))
