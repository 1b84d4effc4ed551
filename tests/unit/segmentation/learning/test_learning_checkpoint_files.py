"""Checkpoint files: what is kept comes back to the last bit, and no damaged byte is believed."""

import math
from pathlib import Path

import torch

from minemap_assets.segmentation.learning.checkpoints import State, part, read_state, under, write_state


def test_no_flipped_byte_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "x.state"
    write_state(State({"a": torch.arange(3)}, {"step": 1}), path)
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
        assert read_state(path) is None, place
        path.write_bytes(data[:place])
        assert read_state(path) is None, place


def test_what_is_kept_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    tensors = {
        **under("net", {"w": torch.randn(3, 5), "odd.name": torch.tensor([math.nan, -0.0, math.inf])}),
        "count": torch.tensor(7),
        "bytes": torch.arange(256, dtype=torch.uint8),
        "double": torch.tensor([[0.1]], dtype=torch.float64),
        "turned": torch.randn(4, 6).t(),
    }
    facts = {"rate": 0.1 + 0.2, "none": None, "list": [1, 2.5], "text": "é\n"}
    write_state(State(tensors, facts), tmp_path / "x.state")
    found = read_state(tmp_path / "x.state")
    assert found is not None
    assert found.facts == facts
    assert set(found.tensors) == set(tensors)
    for name, value in tensors.items():
        assert found.tensors[name].dtype == value.dtype
        assert torch.equal(found.tensors[name].nan_to_num(1.5), value.nan_to_num(1.5)), name
    assert set(part("net", found.tensors)) == {"w", "odd.name"}
