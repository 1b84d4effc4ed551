"""The room segmentation: the model, its evaluation and promotion, and the masks it gives."""

from minemap_assets.chips.assets import CHIPS, TRAINING_CHIPS
from minemap_assets.chips.reader import ChipSet, open_chips
from minemap_assets.errors import MinemapError
from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.partitioning import by_region_and_year
from minemap_assets.graph.statement import Asset, ColumnFacts, Dep, Job, Room
from minemap_assets.imagery.assets import by_product_and_region
from minemap_assets.lake.manifests import Manifest, Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project
from minemap_assets.project.settings import Section
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.sites.assets import SITES, sites_of

GPU_POOL = "gpu"
"""Assets of this pool run one at a time by default: they want the accelerator, or every core."""

TRAINING = Job("training", "Train and evaluate a model; nothing is predicted with it before it is promoted.")


def _config(context: BuildContext) -> SegmentationConfig:
    return context.project.section(SegmentationConfig)


def _chip_sets(context: BuildContext) -> list[ChipSet]:
    """Training chips by region, then product: the order is part of what a seed means."""
    found = context.inputs_of(TRAINING_CHIPS)
    return [open_chips(found[ref]) for ref in sorted(found, key=lambda ref: ref.keys[::-1])]


def _build_model(context: BuildContext) -> Outcome:
    from minemap_assets.segmentation.training import train_model

    inputs = {str(ref): chips.manifest.content for ref, chips in context.inputs_of(TRAINING_CHIPS).items()}
    return train_model(
        _chip_sets(context),
        _config(context),
        context.writer,
        inputs,
        progress=context.progress,
        tell=context.project.listener.noticed,
    )


def _build_evaluation(context: BuildContext) -> Outcome:
    from minemap_assets.segmentation.evaluation import evaluate_model

    model = context.input(SEGMENTATION_MODEL)
    return evaluate_model(model, _chip_sets(context), _config(context), context.writer)


def _build_promotion(context: BuildContext) -> Outcome:
    from minemap_assets.segmentation.promotion import restore_model

    return restore_model(context.project, SEGMENTATION_MODEL.ref(), context.writer)


def _promoted_version(project: Project, _: Keys) -> dict[str, str]:
    from minemap_assets.segmentation.promotion import promoted_version

    return {"version": promoted_version(project)}


def _is_copy_kept(project: Project, keys: Keys) -> bool:
    from minemap_assets.segmentation.promotion import is_copy_kept

    return is_copy_kept(project, PROMOTED_MODEL.ref(keys))


def _build_masks(context: BuildContext, chips: Asset) -> Outcome:
    from minemap_assets.segmentation.masks import build_masks

    return build_masks(
        sites_of(context),
        open_chips(context.input(chips)),
        context.input(PROMOTED_MODEL),
        _config(context),
        context.writer,
        progress=context.progress,
    )


def told_verdict(project: Project, manifest: Manifest) -> dict[str, str]:
    """The verdict on the model behind a partition, to stand before its figures; nothing where no model was evaluated.

    A partition that does not name its model was made with the one in use.
    """
    from minemap_assets.segmentation.promotion import promoted_version
    from minemap_assets.segmentation.verdict import Grade, verdict_of

    try:
        verdict = verdict_of(project)
        named = manifest.summary.get("model_version") or manifest.summary.get("version")
        used = str(named or promoted_version(project))
    except MinemapError as error:
        return {"verdict": f"{Grade.UNKNOWN}: {error}"}
    if verdict is None:
        return {}
    if used != verdict.model_version:
        other = f"the scores are of model {verdict.model_version[:12]}, and this one is {used[:12]}"
        return {"verdict": f"{Grade.UNKNOWN}: {other}"}
    return {"verdict": f"{verdict.grade}: {verdict.sentence}"}


def _picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.segmentation.drawing import masks_picture

    return masks_picture(partition)


_TRAINING_LOG = ColumnFacts(
    {
        "step": "Training step",
        "loss": "Loss of the step's batch",
        "learning_rate": "Learning rate of the step",
        "validation_iou": "Intersection over union of the mine class in validation; null where it was not measured",
        "validation_miou": "Mean intersection over union in validation; null where it was not measured",
    }
)

_METRICS = ColumnFacts(
    {
        "method": "`model`, or `baseline` for the best threshold on one band",
        "rule": "The threshold of the baseline in words; empty for the model",
        "group": "Spatial block; empty for all ground of the split",
    }
)

SEGMENTATION_MODEL = Asset(
    room="segmentation",
    name="segmentation_model",
    description="SegFormer trained on the reference year of the training regions, calibrated, with operating points.",
    deps=(Dep(TRAINING_CHIPS),),
    settings=lambda project, _: project.section(SegmentationConfig).training_settings(),
    code_version="2",
    kinds=frozenset({"pytorch"}),
    pool=GPU_POOL,
    job=TRAINING,
    columns=_TRAINING_LOG,
    build=_build_model,
)

MODEL_EVALUATION = Asset(
    room="segmentation",
    name="model_evaluation",
    description="Accuracy of the trained model on held-out spatial blocks, beside the best threshold on any band.",
    deps=(Dep(SEGMENTATION_MODEL), Dep(TRAINING_CHIPS)),
    pool=GPU_POOL,
    job=TRAINING,
    columns=_METRICS,
    build=_build_evaluation,
)

PROMOTED_MODEL = Asset(
    room="segmentation",
    name="promoted_model",
    description="The model in use, pinned by hash: only `minemap promote` changes what masks are made with.",
    deps=(Dep(SEGMENTATION_MODEL, triggers=False, lineage=True),),
    settings=_promoted_version,
    intact=_is_copy_kept,
    kinds=frozenset({"pytorch"}),
    columns=_TRAINING_LOG,
    headline=told_verdict,
    build=_build_promotion,
)

RAW_MASKS = Asset(
    room="segmentation",
    name="raw_masks",
    description="Calibrated probability of mining for every pixel of every site of a region and year.",
    partitions=by_region_and_year,
    deps=(Dep(CHIPS), Dep(PROMOTED_MODEL, triggers=False), Dep(SITES, triggers=False)),
    settings=lambda project, _: project.section(SegmentationConfig).mask_settings(),
    kinds=frozenset({"geotiff", "pytorch"}),
    pool=GPU_POOL,
    automated=True,
    headline=told_verdict,
    picture=_picture,
    build=lambda context: _build_masks(context, CHIPS),
)

REFERENCE_MASKS = Asset(
    room="segmentation",
    name="reference_masks",
    description="Calibrated probability of mining in the reference year, as each configured product shows it.",
    partitions=by_product_and_region,
    deps=(Dep(TRAINING_CHIPS), Dep(PROMOTED_MODEL, triggers=False), Dep(SITES, triggers=False)),
    settings=lambda project, _: project.section(SegmentationConfig).mask_settings(),
    kinds=frozenset({"geotiff", "pytorch"}),
    pool=GPU_POOL,
    automated=True,
    headline=told_verdict,
    picture=_picture,
    build=lambda context: _build_masks(context, TRAINING_CHIPS),
)

ROOM = Room(
    "segmentation",
    (SEGMENTATION_MODEL, MODEL_EVALUATION, PROMOTED_MODEL, RAW_MASKS, REFERENCE_MASKS),
    sections=(Section("segmentation", SegmentationConfig),),
)
