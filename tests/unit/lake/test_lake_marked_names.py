"""Marked names: what is written into them is read out of them, whatever the name itself looks like."""

from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.lake.marked_names import MarkedName, is_marked, marked, signed

STEMS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,40}[a-z0-9]", fullmatch=True)
SUFFIXES = st.sampled_from(["", ".tif", ".parquet", ".checkpoint"])
DIGESTS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
WRITERS = st.from_regex(r"[0-9a-f]{6}", fullmatch=True)


@given(STEMS, SUFFIXES, DIGESTS, DIGESTS, WRITERS)
def test_marks_are_read_back(stem: str, suffix: str, key: str, checksum: str, writer: str) -> None:
    name = f"{stem}{suffix}"
    for path in (marked(name, key, checksum), marked(name, key, checksum, writer)):
        assert MarkedName.parse(path) == MarkedName(marked(name, key), checksum[:12])
        assert is_marked(path)
        assert signed(path, "abcdef") == marked(name, key, checksum, "abcdef")


@given(STEMS, SUFFIXES)
def test_plain_names_and_files_in_folders_are_not_taken_for_marked_ones(stem: str, suffix: str) -> None:
    assert MarkedName.parse(f"folder/{stem}-{'a' * 12}-{'b' * 12}{suffix}") is None
    assert not is_marked(f"folder/{stem}-{'a' * 12}{suffix}")
    assert MarkedName.parse(f"index{suffix}") is None
    assert not is_marked("manifest.json")


def test_a_name_of_an_earlier_minemap_says_nothing_of_its_checksum() -> None:
    assert MarkedName.parse("m1-0123456789ab.tif") is None
    assert is_marked("m1-0123456789ab.tif")
