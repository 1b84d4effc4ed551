"""The room segmentation: the model, its evaluation and promotion, and the masks it gives."""

from minemap_assets.chips.assets import CHIPS, TRAINING_CHIPS
from minemap_assets.chips.reader import ChipSet, open_chips
from minemap_assets.errors import MinemapError
from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.partitioning import by_region_and_year
from minemap_assets.graph.routing import ACCELERATOR, WANTED
from minemap_assets.graph.statement import Asset, ColumnFacts, Dep, Job, Room
from minemap_assets.imagery.assets import by_product_and_region
from minemap_assets.lake.manifests import Manifest, Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project
from minemap_assets.project.settings import Section
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.sites.assets import SITES, sites_of

GPU_POOL = "gpu"
"""Assets of this pool run one at a time by default: they want the accelerator, or every core."""

ACCELERATED = {ACCELERATOR: WANTED}
"""Tag of steps that use a GPU where they find one; a deployment's executor may ask for one by it."""

TRAINING = Job("training", "Train and evaluate a model; nothing is predicted with it before it is promoted.")


def _config(context: BuildContext) -> SegmentationConfig:
    return context.project.section(SegmentationConfig)


def _chip_sets(context: BuildContext) -> list[ChipSet]:
    """Training chips by region, then product: the order is part of what a seed means."""
    found = context.inputs_of(TRAINING_CHIPS)
    return [open_chips(found[ref]) for ref in _in_order(context)]


def _in_order(context: BuildContext) -> list[PartitionRef]:
    return sorted(context.inputs_of(TRAINING_CHIPS), key=lambda ref: ref.keys[::-1])


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
    from minemap_assets.segmentation.evaluation.build import evaluate_model

    return evaluate_model(
        context.input(SEGMENTATION_MODEL),
        _chip_sets(context),
        _config(context),
        context.writer,
        regions=[ref.keys[-1] for ref in _in_order(context)],
        progress=context.progress,
    )


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
        tell=context.project.listener.noticed,
    )


def told_verdict(project: Project, manifest: Manifest) -> dict[str, str]:
    """The verdict on the model behind a partition, to stand before its figures; nothing where no model was evaluated.

    A partition that does not name its model was made with the one in use.
    """
    from minemap_assets.segmentation.promotion import promoted_version, recorded_verdict
    from minemap_assets.segmentation.verdict import Grade, verdict_of

    try:
        verdict = verdict_of(project)
        named = manifest.summary.get("model_version") or manifest.summary.get("version")
        used = str(named or promoted_version(project))
        if verdict is None or used != verdict.model_version:
            verdict = recorded_verdict(project, used) or verdict
    except MinemapError as error:
        return {"verdict": f"{Grade.UNKNOWN}: {error}"}
    if verdict is None:
        return {}
    if used != verdict.model_version:
        other = f"the scores are of model {verdict.model_version[:12]}, and this one is {used[:12]}"
        return {"verdict": f"{Grade.UNKNOWN}: {other}"}
    return {"verdict": f"{verdict.grade}: {verdict.sentence}"}


def _curves(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.segmentation.learning.curves import curves_picture

    return curves_picture(partition)


def _scores_picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.segmentation.evaluation.drawing import stored_picture

    return stored_picture(partition)


def _picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.segmentation.drawing import masks_picture

    return masks_picture(partition)


_TRAINING_LOG = ColumnFacts(
    {
        "member": "Number of the ensemble's model, from 0",
        "step": "Training step",
        "loss": "Loss of the step's batch",
        "learning_rate": "Learning rate of the step",
        "validation_iou": "Highest intersection over union of the mine class at any threshold in validation; null "
        "where it was not measured",
    }
)

_METRICS = ColumnFacts(
    {
        "method": "`model`, or `baseline` for the best threshold on one band or index",
        "split": "`test`; `validation` where no model was trained on it; `folds` for training ground as those models "
        "of an ensemble show it that had not seen it",
        "stratum": "What the row is of: `all` ground, a `place`, mines of a `size`, sites of a `contrast` or `region`",
        "group": "Which of these: a spatial block, a size, a quarter of the sites by contrast, a region; empty for all",
        "rule": "The threshold of the baseline in words; empty for the model",
        "sites": "Sites that were scored, each on the ground it owns",
        "places": "Spatial blocks among them",
        "mines": "Labelled mines: pieces of ground that touch, at least half of each on ground that counts",
        "found": "Mines of which at least half was mapped",
        "found_share": "Share of the mines of which at least half was mapped, 0 to 1",
        "background_iou": "Intersection over union of everything that is no mine, 0 to 1",
        "boundary_f1": "How far mapped and true outlines lie within 10 m of each other, 0 to 1",
        "calibration_error": "Expected calibration error: mean difference of probability and share of mine, 15 ranges",
        "probability_ratio": "Sum of probability divided by the true area",
        "iou_low": "Lower end of the 95 % interval of `iou`, by bootstrap over places; null for fewer than 3",
        "iou_high": "Upper end of the same interval",
        "miou_low": "Lower end of the 95 % interval of `miou`",
        "miou_high": "Upper end of the same interval",
        "area_ratio_low": "Lower end of the 95 % interval of `area_ratio`",
        "area_ratio_high": "Upper end of the same interval",
        "largest": "Size of the site's largest mine; empty where it has none",
        "contrast": "Reflectance by which mines and the 100 m around them differ, root mean square over bands",
        "doubt": "Mean of p (1 - p) over pixels, 0.25 at most",
        "low": "Lower end of the range of probability",
        "high": "Upper end of the range of probability",
        "mean_probability": "Mean probability of the pixels in the range",
        "mine_share": "Share of the pixels in the range that is mine, 0 to 1",
    }
)

SEGMENTATION_MODEL = Asset(
    room="segmentation",
    name="segmentation_model",
    description="Networks trained on the reference year of the training regions, calibrated, with operating points.",
    deps=(Dep(TRAINING_CHIPS),),
    settings=lambda project, _: project.section(SegmentationConfig).training_settings(),
    code_version="4",
    kinds=frozenset({"pytorch"}),
    pool=GPU_POOL,
    op_tags=ACCELERATED,
    job=TRAINING,
    columns=_TRAINING_LOG,
    picture=_curves,
    build=_build_model,
)

MODEL_EVALUATION = Asset(
    room="segmentation",
    name="model_evaluation",
    description="Accuracy of the trained model on held-out spatial blocks, beside the best threshold on any band.",
    deps=(Dep(SEGMENTATION_MODEL), Dep(TRAINING_CHIPS)),
    code_version="2",
    pool=GPU_POOL,
    op_tags=ACCELERATED,
    job=TRAINING,
    columns=_METRICS,
    headline=told_verdict,
    picture=_scores_picture,
    build=_build_evaluation,
)

PROMOTED_MODEL = Asset(
    room="segmentation",
    name="promoted_model",
    description="The model in use, pinned by hash: only `minemap promote` changes what masks are made with.",
    deps=(
        Dep(SEGMENTATION_MODEL, triggers=False, lineage=True),
        Dep(MODEL_EVALUATION, triggers=False, lineage=True),
    ),
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
    code_version="2",
    kinds=frozenset({"geotiff", "pytorch"}),
    pool=GPU_POOL,
    op_tags=ACCELERATED,
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
    code_version="2",
    kinds=frozenset({"geotiff", "pytorch"}),
    pool=GPU_POOL,
    op_tags=ACCELERATED,
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
