"""Which device and which precision a step computes with. Imports torch: import it late."""

from pathlib import Path

import torch

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.config import Device, Precision
from minemap_assets.segmentation.cores import cores_to_use

_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Names of instructions for bfloat16, of x86 and of ARM."""

_CPU_FACTS = Path("/proc/cpuinfo")


def choose_device(wanted: Device) -> torch.device:
    """The device to compute on. Raises `BadInputError` where a GPU is asked for and there is none."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise BadInputError("device is 'cuda' and torch sees no GPU; set [segmentation] device to 'auto' or 'cpu'")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """The type of a network's sums: with `auto` bfloat16 where the device has instructions for it, else float32.

    Elsewhere torch emulates it, which is slower than float32.
    """
    if wanted == "auto":
        return torch.bfloat16 if _computes_bfloat16(device) else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def choose_devices(wanted: Device) -> tuple[torch.device, ...]:
    """The devices that networks are dealt out to: every GPU that torch sees, or the one that is no GPU.

    Raises `BadInputError` like `choose_device`.
    """
    first = choose_device(wanted)
    if first.type != "cuda":
        return (first,)
    return tuple(torch.device("cuda", number) for number in range(torch.cuda.device_count()))


def side_by_side(networks: int) -> int:
    """How many networks compute at the same time: as many as the run may use cores."""
    return min(networks, cores_to_use())


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(_BFLOAT16 & _cpu_instructions())


def _cpu_instructions() -> set[str]:
    """What torch knows of the processor, or Linux where torch is too old to say; empty where nobody says."""
    asked = getattr(torch.cpu, "get_capabilities", None)
    if asked is not None:
        return {name for name, has in asked().items() if has is True}
    return set(_CPU_FACTS.read_text(encoding="utf-8").split()) if _CPU_FACTS.is_file() else set()
