"""Where the terms of inputs stand against the licence of the dataset."""

import pytest
from pydantic import ValidationError

from minemap_assets.imagery.basemaps import nicfi
from minemap_assets.imagery.sources.stac.config import TERMS as SENTINEL
from minemap_assets.publication.attribution import Attribution, Role
from minemap_assets.publication.config import DatasetConfig
from minemap_assets.publication.conflicts import conflicts
from minemap_assets.publication.licences import LICENCES, licence_named, traits_of
from minemap_assets.reference.published_sets import DATASETS


def told(
    licence: str, ours: str = "ODbL-1.0", role: Role = Role.LABELS, redistributable: bool | None = None
) -> list[str]:
    one = Attribution("theirs", role, licence, redistributable=redistributable)
    return [found.sentence for found in conflicts((one,), ours)]


@pytest.mark.parametrize("licence", ["CC0-1.0", "public domain", "CC BY 4.0", "CC-BY-4.0", "ODbL 1.0", SENTINEL])
def test_what_asks_for_nothing_that_odbl_refuses_is_no_conflict(licence: str) -> None:
    assert told(licence) == []


def test_share_alike_of_another_family_is_a_conflict_and_the_same_family_is_none() -> None:
    (sentence,) = told("CC BY-SA 4.0")
    assert "asks that adaptations be under CC BY-SA" in sentence
    assert "this dataset is under ODbL-1.0" in sentence
    assert told("CC BY-SA 4.0", "CC-BY-SA-4.0") == []
    assert len(told("ODbL-1.0", "CC-BY-4.0")) == 1
    assert "CC BY-NC-SA" in told("CC-BY-NC-SA-4.0", "CC-BY-SA-4.0")[1]


def test_non_commercial_terms_stand_against_a_licence_for_any_use() -> None:
    assert "non-commercial use only" in told("CC BY-NC 4.0")[0]
    assert told("CC BY-NC 4.0", "CC-BY-NC-4.0") == []
    assert "no adaptations" in told("CC BY-ND 4.0")[0]


@pytest.mark.parametrize("licence", ["unknown", "", "terms unknown", "Unknown "])
def test_terms_that_nobody_knows_are_told(licence: str) -> None:
    (sentence,) = told(licence)
    assert "are not known" in sentence


def test_nicfi_is_non_commercial_and_its_pixels_stay() -> None:
    commercial, pixels = told(nicfi.TERMS, role=Role.IMAGERY, redistributable=False)
    assert "non-commercial" in commercial
    assert "may not be passed on" in pixels


def test_the_published_sets_of_outlines_are_judged_by_their_own_licences() -> None:
    maus, tang = (DATASETS[name].licence for name in ("maus_2022", "tang_werner_2023"))
    assert len(told(maus)) == 1
    assert told(tang) == []


def test_weights_that_were_trained_here_have_no_terms_of_their_own() -> None:
    own = Attribution("model", Role.WEIGHTS, "unknown", own=True)
    other = Attribution("model", Role.WEIGHTS, "unknown")
    assert conflicts((own,), "ODbL-1.0") == ()
    assert len(conflicts((other,), "ODbL-1.0")) == 1


def test_every_known_licence_has_an_address_and_reads_itself() -> None:
    assert all(one.address.startswith("https://") for one in LICENCES.values())
    assert traits_of("ODbL-1.0").family == "ODbL"
    assert traits_of("CC-BY-SA-4.0").family == "CC BY-SA"
    assert licence_named("Own-1.0", "https://example.org").address == "https://example.org"


def test_a_licence_of_ones_own_needs_its_address() -> None:
    with pytest.raises(ValidationError, match="licence_address"):
        DatasetConfig(licence_database="Own-1.0")
    assert DatasetConfig(licence_database="Own-1.0", licence_address="https://example.org/own").licence_database
    with pytest.raises(ValidationError, match="either a family name"):
        DatasetConfig.model_validate({"authors": [{"given": "Jane"}]})
