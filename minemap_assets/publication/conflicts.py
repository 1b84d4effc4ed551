"""Where the terms of inputs stand against the licence that is published under.

A text is judged by the words of its licence alone. What is found is to be looked at by a person; it is no legal advice.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from minemap_assets.publication.attribution import Attribution, Role
from minemap_assets.publication.licences import Traits, traits_of


@dataclass(frozen=True)
class Conflict:
    """Terms of one input that stand against the licence of the dataset, or that nobody knows; in one sentence."""

    input: str
    role: Role
    sentence: str


def conflicts(inputs: Iterable[Attribution], licence: str) -> tuple[Conflict, ...]:
    """Where inputs stand against a licence (SPDX identifier or name) for the dataset, in the order of the inputs."""
    ours = traits_of(licence)
    return tuple(
        Conflict(one.name, one.role, sentence)
        for one in inputs
        if not _is_own(one)
        for sentence in _sentences(one, traits_of(one.licence), ours, licence)
    )


def _is_own(one: Attribution) -> bool:
    """Weights that were trained here, of which the labels and images stand in the list themselves."""
    return one.role is Role.WEIGHTS and one.own


_USES: Mapping[Role, str] = MappingProxyType(
    {
        Role.IMAGERY: "the polygons were drawn from its pixels",
        Role.LABELS: "the model learnt from its outlines, and sites were located by them",
        Role.OUTLINES: "sites were located by its outlines",
        Role.BOUNDARIES: "areas were split by its borders",
        Role.POINTS: "its points are in validation_points",
        Role.SERIES: "its areas are told beside ours in series_break",
        Role.WEIGHTS: "the polygons were drawn with these weights",
    }
)


def _sentences(one: Attribution, theirs: Traits, ours: Traits, licence: str) -> Iterator[str]:
    use = _USES[one.role]
    if not theirs.known:
        yield f"the terms of {one.name} are not known, and {use}: ask whoever made it before passing this on"
        return
    if theirs.no_derivatives:
        yield f"{one.name} ({one.licence}) allows no adaptations, and {use}"
    if theirs.non_commercial and not ours.non_commercial:
        yield f"{one.name} is for non-commercial use only ({one.licence}), {licence} allows any use, and {use}"
    if theirs.family and theirs.family != ours.family:
        yield (
            f"{one.name} asks that adaptations be under {theirs.family} ({one.licence}), this dataset is under "
            f"{licence}, and {use}"
        )
    if one.redistributable is False:
        yield f"the pixels of {one.name} may not be passed on ({one.licence})"
