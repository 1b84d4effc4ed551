"""What clusters are told of each step: model steps alone ask for a GPU, in words that both engines read."""

import json

import pytest
from dagster_k8s.job import get_user_defined_k8s_config
from dagster_ray.configs import RayExecutionConfig

from graphs import Assembled, assembled
from minemap_assets.graph.routing import ACCELERATOR, KUBERNETES, RAY, WANTED, routing_tags, wants_accelerator

MODEL = {
    "segmentation_model",
    "model_evaluation",
    "raw_masks",
    "reference_masks",
    "patch_classifier",
    "patch_scores",
    "snapshot_scores",
}
"""What computes with a network."""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Assembled:
    return assembled(tmp_path_factory.mktemp("graph"))


def read_by_engines(tags: dict[str, str]) -> tuple[RayExecutionConfig, dict[str, object]]:
    """The tags as the executors of dagster-ray and dagster-k8s take them."""
    container: dict[str, object] = dict(get_user_defined_k8s_config(tags).container_config)
    return RayExecutionConfig.from_tags(tags), container


def test_model_steps_ask_both_engines_for_one_gpu_and_the_others_see_none(graph: Assembled) -> None:
    asking = set()
    for node in graph.definitions.resolve_implicit_global_asset_job_def().nodes:
        ray, container = read_by_engines(dict(node.definition.tags))
        limits = container.get("resources", {})
        name = node.name.partition("__")[2]
        if ray.num_gpus:
            asking.add(name)
            assert (ray.num_gpus, limits) == (1, {"limits": {"nvidia.com/gpu": "1"}}), name
        else:
            assert ray.runtime_env == {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}, name
            assert container["env"] == [{"name": "CUDA_VISIBLE_DEVICES", "value": ""}], name
            assert not limits, name
    assert asking == MODEL


def test_on_one_machine_what_wants_the_gpu_takes_turns(graph: Assembled) -> None:
    wanted = [asset for asset in graph.graph.assets if wants_accelerator(asset.op_tags)]
    assert {asset.name for asset in wanted} == MODEL
    assert {asset.pool for asset in wanted} == {"gpu"}


def test_every_step_takes_a_share_of_a_cluster() -> None:
    """One that takes none would be begun at once on the head, however many there are."""
    for tags in ({}, {ACCELERATOR: WANTED}):
        assert routing_tags(tags)[RAY]["num_cpus"] == 1


def test_what_a_statement_says_itself_counts() -> None:
    own = {"container_config": {"resources": {"limits": {"memory": "64Gi"}}}}
    tags = routing_tags({ACCELERATOR: WANTED, KUBERNETES: own})
    assert tags[KUBERNETES] == own
    assert tags[ACCELERATOR] == WANTED
    assert json.dumps(tags)
