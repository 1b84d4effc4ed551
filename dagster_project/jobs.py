"""Named jobs: what a schedule or sensor starts, and what a person starts by hand.

What belongs here: selections of assets that share partitions. What does not: downstream work, which declarative
automation asks for (`automation.py`).
"""

import dagster as dg

imagery_update = dg.define_asset_job(
    "imagery_update",
    dg.AssetSelection.assets(dg.AssetKey(["imagery", "imagery"])),
    description="Fetch the composites of one region and year.",
)
reference_update = dg.define_asset_job(
    "reference_update",
    dg.AssetSelection.assets(dg.AssetKey(["imagery", "reference_imagery"]), dg.AssetKey(["chips", "training_chips"])),
    description="Fetch the reference year of one region in one product, and cut its labelled chips.",
)
training = dg.define_asset_job(
    "training",
    dg.AssetSelection.assets(
        dg.AssetKey(["segmentation", "segmentation_model"]), dg.AssetKey(["segmentation", "model_evaluation"])
    ),
    description="Train and evaluate a model; nothing is predicted with it before it is promoted.",
)
promotion = dg.define_asset_job(
    "promotion",
    dg.AssetSelection.assets(dg.AssetKey(["segmentation", "promoted_model"])),
    description="Put the newest trained model in use.",
)

JOBS = [imagery_update, reference_update, training, promotion]
