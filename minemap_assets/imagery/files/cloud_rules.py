"""Rules of cloud masks in an archive: which files are masks, which images they belong to, which numbers hide a pixel.

A mask lies beside its image and is named after it, as `scene_SCL.tif` is beside `scene_B02.tif`, or is alone in the
image's folder, as `SCL.tif` is beside `B02.tif`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError

USUAL = ("*_SCL*!=2,4,5,6,7,11", "*_udm2*!=1", "*_DN_udm*!=0", "*_udm*!=0", "*_CLM*!=0")
"""Sentinel-2's scene classification without no data, defects, shadow, cloud and cirrus; the band `clear` of Planet's
usable data mask, and its older mask, whose 0 means usable; the cloud mask of Sentinel Hub and s2cloudless.
"""

_RULE = re.compile(r"(?P<pattern>[^=<>!]+)(?P<sign>!=|>=|=)(?P<numbers>[-+0-9.,\s]+)")
_RESOLUTION = re.compile(r"R[126]0m")
"""Sentinel-2 keeps bands of one scene in folders by pixel size."""


@dataclass(frozen=True)
class CloudRule:
    """Files whose name fits `pattern` are masks, and which of their numbers hide a pixel.

    Written as `*_CLM*=1,255` (these numbers hide), `*_udm2*!=1` (all other numbers hide) or `*_CLP*>=0.4` (this number
    and larger ones hide). The first `*` stands for the image's name; with `*_` in front that may be missing. A number
    that is not finite always hides.
    """

    text: str
    pattern: str
    sign: str
    numbers: tuple[float, ...]

    def hides(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """True where a number hides the pixel."""
        if self.sign == ">=":
            return np.asarray(~(values < self.numbers[0]), dtype=np.bool_)
        listed = np.isin(values, np.asarray(self.numbers))
        return np.asarray(~listed if self.sign == "!=" else listed | ~np.isfinite(values), dtype=np.bool_)

    def image_of(self, name: str) -> str | None:
        """The part of a mask's file name that its image's name begins with; None where the name is no mask's."""
        optional = self.pattern.startswith("*_")
        rest = re.escape(self.pattern[2 if optional else 1 :]).replace(r"\*", ".*").replace(r"\?", ".")
        match = re.fullmatch((r"(?:(?P<stem>.*?)_)?" if optional else r"(?P<stem>.*?)") + rest, name, re.IGNORECASE)
        return (match["stem"] or "") if match else None


def parse_rule(text: str) -> CloudRule:
    """A rule as people write it. Raises `BadInputError`."""
    match = _RULE.fullmatch(text.strip())
    try:
        numbers = tuple(float(part) for part in match["numbers"].split(",")) if match else ()
    except ValueError:
        numbers = ()
    if (
        match is None
        or not numbers
        or not match["pattern"].startswith("*")
        or (match["sign"] == ">=" and len(numbers) > 1)
    ):
        raise BadInputError(
            f"{text!r} is no rule for cloud masks; write '*_CLM*=1' for files in which 1 is cloud, '*_udm2*!=1' for "
            "files in which only 1 is clear, or '*_CLP*>=0.4' for a probability"
        )
    return CloudRule(text.strip(), match["pattern"], match["sign"], numbers)


class CloudFiles:
    """The masks among the files of an archive, and to which images they belong."""

    def __init__(self, paths: Iterable[str], rules: Sequence[CloudRule]) -> None:
        self.rules: dict[str, CloudRule] = {}
        self._places: dict[tuple[str, str], list[str]] = {}
        for path in sorted(paths):
            whole = PurePosixPath(path)
            for rule in rules:
                stem = rule.image_of(whole.name)
                if stem is not None:
                    self.rules[path] = rule
                    self._places.setdefault((_folder(whole), stem), []).append(path)
                    break

    def of_files(self, paths: Iterable[str]) -> set[str]:
        """The masks of the images that these files belong to."""
        return {mask for path in paths for mask in self.of(PurePosixPath(path).with_suffix("").as_posix())}

    def without_image(self, paths: Iterable[str]) -> list[str]:
        """The masks that belong to none of these files, sorted."""
        return sorted(set(self.rules) - self.of_files(paths))

    def without_file(self, rules: Iterable[CloudRule]) -> list[str]:
        """Those of a person's rules that are of no file, as they were written."""
        used = {rule.text for rule in self.rules.values()}
        return [rule.text for rule in rules if rule.text not in used and rule not in USUAL_RULES]

    def of(self, image: str) -> tuple[str, ...]:
        """The masks of an image, given by its id or by a file's path without extension: those with the longest name."""
        whole = PurePosixPath(image)
        ends = [match.start() for match in re.finditer(r"[_.-]", whole.name)]
        for end in (len(whole.name), *reversed(ends), 0):
            found = self._places.get((_folder(whole), whole.name[:end]))
            if found:
                return tuple(found)
        return ()


def _folder(path: PurePosixPath) -> str:
    """The folder that an image and its masks share."""
    folder = path.parent
    return (folder.parent if _RESOLUTION.fullmatch(folder.name) else folder).as_posix()


USUAL_RULES = tuple(parse_rule(text) for text in USUAL)
