"""What an image is made of: its requirements are the project's, and what is thrown away is what nobody misses."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from house import ROOT, Project


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"image_{name}", ROOT / f"docker/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    kept = ("torch/lib/libtorch.so", "torch/bin/torch_shm_manager", "numpy/core.py", "dagster/testing.py")
    gone = (
        "numpy/tests/test_core.py",
        "numpy/tests/tests/deep.py",
        "numpy/__pycache__/core.cpython-312.pyc",
        "torch/include/torch.h",
        "torch/bin/test_api",
        "pyarrow/libarrow_flight.so.2600",
        "torch/lib/libx.a",
    )
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    return tmp_path


def test_an_image_is_made_of_the_projects_requirements(project: Project) -> None:
    wanted = script("wanted").wanted
    assert wanted([]) == project.pyproject["project"]["dependencies"]
    with_database = wanted(["postgres"])
    assert len(with_database) == len(wanted([])) + 1
    assert with_database[-1].startswith("dagster-postgres")
    with pytest.raises(KeyError):
        wanted(["nothing"])


def test_what_no_service_uses_goes(packages: Path) -> None:
    assert script("prune").prune(packages) == 7 * 5
    left = {path.relative_to(packages).as_posix() for path in packages.rglob("*") if path.is_file()}
    assert left == {"torch/lib/libtorch.so", "torch/bin/torch_shm_manager", "numpy/core.py", "dagster/testing.py"}


@pytest.mark.parametrize(("built_for", "variant", "fits"), [
    ("None", "cpu", True),
    ("'13.0'", "cpu", False),
    ("None", "cuda", False),
    ("'13.0'", "cuda", True),
])  # fmt: skip
def test_a_torch_of_the_other_variant_is_refused(tmp_path: Path, built_for: str, variant: str, fits: bool) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/version.py").write_text(f"debug = False\ncuda: Optional[str] = {built_for}\nhip = None\n")
    check = script("prune").check_torch
    if fits:
        check(tmp_path, variant)
    else:
        with pytest.raises(SystemExit, match="TORCH_INDEX"):
            check(tmp_path, variant)


def test_what_is_imported_for_its_bytecode_is_there() -> None:
    extras = {"dagster_postgres", "dagster_ray", "dagster_k8s", "ray"}
    for name in script("warm").THEIRS:
        if name not in extras:
            assert importlib.util.find_spec(name) is not None, name
