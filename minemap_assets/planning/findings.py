"""What a look at a project found: one line each."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: nothing, something that may disappoint, something that will fail."""

    OK = "OK"
    DOUBT = "doubt"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it stands, in words, and what to do about it (empty where nothing is)."""

    level: Level
    what: str
    advice: str = ""

    @property
    def sentence(self) -> str:
        """Both in one line."""
        return f"{self.what}; {self.advice}" if self.advice else self.what


def ok(what: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, what)


def doubt(what: str, advice: str) -> Finding:
    """It goes on, and may disappoint."""
    return Finding(Level.DOUBT, what, advice)


def wrong(what: str, advice: str) -> Finding:
    """It will fail."""
    return Finding(Level.WRONG, what, advice)
