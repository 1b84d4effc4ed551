"""Prediction: the network's own numbers, the same in any company, with any memory."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.segmentation import prediction
from minemap_assets.segmentation.artefact import open_model
from minemap_assets.segmentation.inputs import enlarged, moments, normalised, reduced
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.shapes import NetworkShape
from minemap_assets.segmentation.prediction import ChipStream, Predictor, margins
from minemap_assets.segmentation.preparation import Compiled, prepared

from .conftest import tiny_config
from .random_models import BANDS, CALIBRATION, NORMALISATION, PRODUCT, SEGFORMER, UNET, random_network, write_model

CPU = torch.device("cpu")
SHAPES = pytest.mark.parametrize("shape", [UNET, SEGFORMER], ids=["unet", "segformer"])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def chips() -> list[np.ndarray]:
    pixels = np.random.default_rng(1).integers(100, 4000, (5, 4, 64, 64)).astype(np.uint16)
    pixels[1, :, :, 20:31] = 0
    return list(pixels)


def by_hand(network: MineNetwork, chip: np.ndarray, reduction: int) -> np.ndarray:
    mean, spread = moments(NORMALISATION, CPU)
    with torch.inference_mode():
        margin = network(normalised(reduced(torch.from_numpy(chip[None]), reduction), mean, spread))
        return enlarged(margin, (64, 64))[0].numpy()


@SHAPES
@pytest.mark.parametrize("reduction", [1, 2])
def test_margins_are_the_mean_of_the_networks_own(shape: NetworkShape, reduction: int, chips: list[np.ndarray]) -> None:
    networks = [random_network(shape, seed) for seed in (1, 2)]
    found = list(margins(networks, iter(chips), NORMALISATION, reduction, 4))
    assert len(found) == len(chips)
    for chip, margin in zip(chips, found, strict=True):
        assert margin.dtype == np.float32
        expected = np.mean([by_hand(network, chip, reduction) for network in networks], axis=0)
        np.testing.assert_allclose(margin, expected, atol=2e-5)


@SHAPES
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_a_chip_gives_the_same_bytes_in_any_company(
    shape: NetworkShape, precision: torch.dtype, chips: list[np.ndarray]
) -> None:
    network = [random_network(shape, 1)]
    together = list(margins(network, chips, NORMALISATION, 2, 4, precision))
    others = list(margins(network, [chips[4], chips[1]], NORMALISATION, 2, 1, precision))
    assert others[0].tobytes() == together[4].tobytes()
    assert others[1].tobytes() == together[1].tobytes()


def test_the_number_of_cores_does_not_change_a_byte(chips: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    networks = [random_network(UNET, seed) for seed in (1, 2, 3)]
    found = []
    for cores in (1, 3):
        monkeypatch.setattr(prediction, "side_by_side", lambda count, cores=cores: min(count, cores))
        found.append(b"".join(m.tobytes() for m in margins(networks, chips, NORMALISATION, 2, 4)))
    assert found[0] == found[1]


@SHAPES
def test_the_networks_stay_as_they_are(shape: NetworkShape, chips: list[np.ndarray]) -> None:
    network = random_network(shape, 1).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    list(margins([network], chips, NORMALISATION, 1, 2, torch.bfloat16))
    assert network.training
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_bfloat16_is_near_and_the_last_sums_are_exact(chips: list[np.ndarray]) -> None:
    network = random_network(SEGFORMER, 1)
    exact = np.stack(list(margins([network], chips, NORMALISATION, 1, 2)))
    rough = np.stack(list(margins([network], chips, NORMALISATION, 1, 2, torch.bfloat16)))
    assert 0 < np.abs(rough - exact).mean() < 0.02 * exact.std()
    # Margins in bfloat16 would be among 256 numbers between powers of two.
    assert (rough != torch.from_numpy(rough).bfloat16().float().numpy()).mean() > 0.9


def test_a_unet_stays_in_float32(chips: list[np.ndarray]) -> None:
    network = random_network(UNET, 1)
    exact = list(margins([network], chips, NORMALISATION, 1, 2))
    np.testing.assert_array_equal(exact, list(margins([network], chips, NORMALISATION, 1, 2, torch.bfloat16)))


class Hungry(torch.nn.Module):
    """Takes at most so many chips at a time."""

    def __init__(self, most: int, error: type[Exception], text: str) -> None:
        super().__init__()
        self.most, self.error, self.text = most, error, text
        self.sizes: list[int] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(inputs))
        if len(inputs) > self.most:
            raise self.error(self.text)
        return inputs[:, 0]


OUT_OF_MEMORY = [
    (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2 GiB"),
    (RuntimeError, "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    (MemoryError, "Unable to allocate 1 GiB"),
]


@pytest.mark.parametrize(("error", "text"), OUT_OF_MEMORY, ids=["gpu", "cpu", "numpy"])
def test_a_batch_that_memory_does_not_hold_is_halved(
    error: type[Exception], text: str, chips: list[np.ndarray]
) -> None:
    every = [*chips, *chips, chips[0]]
    hungry = Hungry(2, error, text)
    found = list(ChipStream([hungry], CPU, 8, NORMALISATION, 1).of(every))
    # Eleven chips: the group of eight is tried, halved twice and done in pairs; so is the padded one, but its padding.
    assert hungry.sizes == [8, 4, 2, 2, 2, 2, 2, 2]
    mean, spread = moments(NORMALISATION, CPU)
    for chip, margin in zip(every, found, strict=True):
        np.testing.assert_array_equal(margin, normalised(torch.from_numpy(chip[None]).float(), mean, spread)[0, 0])


def test_memory_for_not_even_one_chip_is_said_in_a_sentence(chips: list[np.ndarray]) -> None:
    stream = ChipStream([Hungry(0, *OUT_OF_MEMORY[0])], CPU, 4, NORMALISATION, 1)
    with pytest.raises(PermanentError, match=r"does not hold the network's work on one chip of 64 x 64 pixels"):
        list(stream.of(chips))


def test_another_error_of_the_network_is_nobodys_lack_of_memory(chips: list[np.ndarray]) -> None:
    stream = ChipStream([Hungry(0, RuntimeError, "shapes do not fit")], CPU, 4, NORMALISATION, 1)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(stream.of(chips))


def test_a_chip_that_cannot_be_read_reaches_the_caller(chips: list[np.ndarray]) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from chips[:2]
        raise BadInputError("chip 2 is damaged")

    found = margins([random_network(UNET, 1)], broken(), NORMALISATION, 1, 4)
    assert len([next(found), next(found)]) == 2
    with pytest.raises(BadInputError, match="chip 2 is damaged"):
        next(found)
    assert "working ahead" not in [thread.name for thread in threading.enumerate()]


def test_probabilities_are_calibrated(tmp_path: Path, chips: list[np.ndarray]) -> None:
    write_model(tmp_path / "model", members=2, reduction=2, seed=5)
    predictor = Predictor(open_model(tmp_path / "model"), tiny_config())
    found = list(predictor.probabilities(PRODUCT, BANDS, chips))
    networks = [random_network(UNET, seed) for seed in (5, 6)]
    for probability, margin in zip(found, margins(networks, chips, NORMALISATION, 2, 1), strict=True):
        assert probability.dtype == np.float32
        np.testing.assert_allclose(probability, CALIBRATION.probability(margin), atol=1e-6)


def test_a_network_that_does_not_compile_is_told_and_used_as_it_is(
    monkeypatch: pytest.MonkeyPatch, chips: list[np.ndarray]
) -> None:
    tried = []

    def fails(_: torch.Tensor) -> torch.Tensor:
        tried.append(1)
        raise RuntimeError("no compiler was found\nmany lines")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: fails)
    told: list[str] = []
    network = prepared(random_network(UNET, 1), torch.float32)
    found = list(ChipStream([Compiled(network, told.append)], CPU, 2, NORMALISATION, 1).of(chips))
    expected = list(ChipStream([network], CPU, 2, NORMALISATION, 1).of(chips))
    np.testing.assert_array_equal(found, expected)
    assert len(tried) == 1
    assert told == [
        "torch could not compile the network (no compiler was found); prediction goes on without, and is slower"
    ]
