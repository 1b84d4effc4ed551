"""Names on the map: towns near the sites and the world's largest cities, and no more than fit."""

from minemap_assets.publication.map.place_names import MOST_FAR, MOST_NEAR, NEAR_DEGREES, place_names

BEIHAI = (109.1, 21.5)


def test_towns_near_a_site_and_the_largest_cities_are_named() -> None:
    found = place_names([BEIHAI])
    names = {one["name"]: one for one in found}
    assert "Beihai" in names
    assert "Shanghai" in names
    far = [one for one in found if max(abs(one["at"][0] - BEIHAI[0]), abs(one["at"][1] - BEIHAI[1])) > 2 * NEAR_DEGREES]
    assert MOST_FAR - 5 < len(far) <= MOST_FAR, "but for those that lie near"
    assert len(found) <= MOST_FAR + MOST_NEAR
    people = [one["people"] for one in found]
    assert people == sorted(people, reverse=True)


def test_without_sites_only_cities_are_named() -> None:
    assert len(place_names([])) == MOST_FAR
