"""Which device and precision a step uses."""

from pathlib import Path

import pytest
import torch

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation import cores, devices
from minemap_assets.segmentation.devices import choose_device, choose_devices, choose_precision, side_by_side

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [({"avx2", "avx512_bf16"}, torch.bfloat16), ({"avx2", "avx512_f"}, torch.float32), (set(), torch.float32)],
)
def test_auto_is_bfloat16_where_the_processor_has_it(
    instructions: set[str], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(instructions, True) | {"amx_bf16": False})
    assert choose_precision("auto", CPU) == expected


def test_an_older_torch_leaves_the_question_to_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    facts = tmp_path / "cpuinfo"
    monkeypatch.setattr(devices, "_CPU_FACTS", facts)
    assert choose_precision("auto", CPU) == torch.float32
    facts.write_text("flags : fpu avx512_bf16 avx2\n")
    assert choose_precision("auto", CPU) == torch.bfloat16


def test_what_is_asked_for_is_used() -> None:
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16
    assert choose_device("cpu") == CPU


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(BadInputError, match="torch sees no GPU"):
        choose_device("cuda")


def test_models_of_an_ensemble_are_dealt_out_to_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_devices("auto") == (torch.device("cuda", 0), torch.device("cuda", 1))
    assert choose_devices("cpu") == (CPU,)


def test_no_more_networks_compute_at_once_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cores.JOBS, raising=False)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert [side_by_side(count) for count in (1, 2, 5)] == [1, 2, 2]
