"""What a person should look at before new figures are published: changes beyond bounds that the project sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from minemap_assets.publication.config import ReleaseConfig
from minemap_assets.publication.figures import Figures, YearFigures
from minemap_assets.segmentation.verdict import Grade

_WORST_FIRST = (Grade.UNKNOWN, Grade.NO_BETTER, Grade.WEAK, Grade.USABLE)


class FindingKind(StrEnum):
    """What changed."""

    COUNTRY = "country"
    PRODUCT = "product"
    COVERAGE = "coverage"
    VERDICT = "verdict"


@dataclass(frozen=True)
class Finding:
    """A change beyond its bound. `country_iso3` is empty where it is not about a country; `before` and `after` are
    figures or words as people read them.
    """

    year: int
    kind: FindingKind
    country_iso3: str
    compared_with: str
    before: str
    after: str
    sentence: str


@dataclass(frozen=True)
class _Pair:
    """A year and what it is compared with."""

    year: int
    than: str
    before: YearFigures
    after: YearFigures


def findings(figures: Figures, accepted: Figures, rules: ReleaseConfig) -> tuple[Finding, ...]:
    """Changes beyond the bounds, by year and kind, countries by their code.

    A year that was accepted is compared with what it was then, a new one with the year before as it is now. The first
    year of a project has nothing to be compared with.
    """
    found = (finding for pair in _pairs(figures, accepted) for finding in _of_pair(pair, rules))
    return tuple(found)


def _pairs(figures: Figures, accepted: Figures) -> Iterator[_Pair]:
    before: tuple[int, YearFigures] | None = None
    for year in sorted(figures):
        if year in accepted:
            yield _Pair(year, f"{year} as it was accepted", accepted[year], figures[year])
        elif before is not None:
            yield _Pair(year, str(before[0]), before[1], figures[year])
        before = (year, figures[year])


def _of_pair(pair: _Pair, rules: ReleaseConfig) -> Iterator[Finding]:
    yield from _verdict(pair)
    yield from _products(pair)
    yield from _coverage(pair, rules.coverage_loss)
    yield from _countries(pair, rules)


def _verdict(pair: _Pair) -> Iterator[Finding]:
    before, after = _rank(pair.before.verdict), _rank(pair.after.verdict)
    if before is None or (after is not None and after >= before):
        return
    old, new = str(pair.before.verdict), pair.after.verdict or "not known"
    sentence = f"{pair.year}: the verdict on the model fell from {old} to {new} against {pair.than}"
    yield Finding(pair.year, FindingKind.VERDICT, "", pair.than, old, new, sentence)


def _rank(verdict: str | None) -> int | None:
    ranks = {str(grade): place for place, grade in enumerate(_WORST_FIRST)}
    return None if verdict is None else ranks.get(verdict)


def _products(pair: _Pair) -> Iterator[Finding]:
    old, new = pair.before.products, pair.after.products
    if not old or not new or set(new) <= set(old):
        return
    before, after = " and ".join(old), " and ".join(new)
    sentence = f"{pair.year}: mapped from {after}, and not from {before} as {pair.than} was"
    yield Finding(pair.year, FindingKind.PRODUCT, "", pair.than, before, after, sentence)


def _coverage(pair: _Pair, bound: float) -> Iterator[Finding]:
    old, new = pair.before.covered_share, pair.after.covered_share or 0.0
    if old is None or old - new <= bound:
        return
    before, after = f"{100 * old:.1f} %", f"{100 * new:.1f} %"
    sentence = f"{pair.year}: {after} of the sites' ground was observed, against {before} in {pair.than}"
    yield Finding(pair.year, FindingKind.COVERAGE, "", pair.than, before, after, sentence)


def _countries(pair: _Pair, rules: ReleaseConfig) -> Iterator[Finding]:
    for iso3 in sorted({*pair.before.countries, *pair.after.countries}):
        old, new = pair.before.countries.get(iso3), pair.after.countries.get(iso3)
        name = (new or old).name if (new or old) else iso3  # type: ignore[union-attr]
        before, after = None if old is None else old.area_km2, None if new is None else new.area_km2
        if before is None and after is None:
            continue
        if after is None and before is not None and old is not None:
            yield _country(pair, iso3, f"{before:.2f} km2", "not observed", f"{name} is not observed any more")
            continue
        held, now = before or 0.0, after or 0.0
        if abs(now - held) <= rules.country_change_km2 or abs(now - held) <= rules.country_change * held:
            continue
        share = f" ({(now - held) / held:+.0%})" if held else ""
        words = f"{name} has {now:.2f} km2, against {held:.2f}{share}"
        yield _country(pair, iso3, f"{held:.2f} km2", f"{now:.2f} km2", words)


def _country(pair: _Pair, iso3: str, before: str, after: str, words: str) -> Finding:
    sentence = f"{pair.year}: {words} in {pair.than}"
    return Finding(pair.year, FindingKind.COUNTRY, iso3, pair.than, before, after, sentence)
