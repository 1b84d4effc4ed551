"""What each asset of the room depends on, in a project's settings and inputs; light to import."""

from hashlib import sha256
from typing import Any

from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.overlays import OVERLAYS_PATH
from minemap_assets.detection.published import WEIGHTS_PATH, imported_facts
from minemap_assets.detection.sampling_points import POINTS_PATH, SamplingPoints, points_by_region, registered_points
from minemap_assets.graph.context import Keys
from minemap_assets.imagery.assets import composites_request
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.rules import reference_year_of
from minemap_assets.project.project import Project


def has_classifier(project: Project) -> bool:
    """Whether a project can scan: without weights and without points to learn from nothing of this room is made."""
    return project.input(WEIGHTS_PATH) is not None or has_points(project)


def has_points(project: Project) -> bool:
    """Whether points were registered."""
    return project.input(POINTS_PATH) is not None


def config_of(project: Project) -> DetectionConfig:
    """The section of settings."""
    return project.section(DetectionConfig)


def scan_bands(project: Project) -> tuple[str, ...]:
    """Bands that a scan fetches: those that the imported weights read, or those that are set, or all that are kept."""
    facts, config = imported_facts(project), config_of(project)
    if facts is not None:
        return facts.bands
    return config.bands or project.section(ImageryConfig).bands_for(config.product)


def scan_product(project: Project) -> str:
    """The product that is scanned."""
    facts = imported_facts(project)
    return facts.product if facts is not None else config_of(project).product


def points_of(project: Project) -> dict[str, SamplingPoints]:
    """The points of each region that takes part."""
    points = registered_points(project)
    return {} if points is None else points_by_region(points, project.active_regions())


def sampling_request(project: Project, keys: Keys) -> Any:
    """What the images of a region's sampling points depend on."""
    year, found = reference_year_of(project, project.region(keys[0])), points_of(project)
    return {
        "points": [] if keys[0] not in found else sorted(found[keys[0]].ids),
        "imagery": composites_request(project, keys[0], year, scan_product(project), scan_bands(project)),
    }


def classifier_settings(project: Project, _: Keys) -> Any:
    """What a classifier depends on, besides the images of its points."""
    facts, points = imported_facts(project), registered_points(project)
    labels = None if points is None else [points.ids, points.mine.tolist(), points.places]
    if facts is not None:
        return {"weights": facts.model_dump(mode="json")} | ({} if labels is None else {"points": labels})
    read = {"product": scan_product(project), "bands": scan_bands(project)}
    return {"points": labels, "training": config_of(project).training_settings()} | read


def scan_settings(project: Project, keys: Keys) -> Any:
    """What the images of a scan depend on."""
    region, year = keys
    return {
        "region": project.region(region).outline,
        "imagery": composites_request(project, region, int(year), scan_product(project), scan_bands(project)),
    }


def score_settings(project: Project, keys: Keys) -> Any:
    """What scores depend on."""
    return {
        "region": project.region(keys[0]).outline,
        "detection": config_of(project).model_dump(
            mode="json", include={"min_observed_share", "min_observations", "precision"}
        ),
    }


def rule_settings(project: Project, keys: Keys) -> Any:
    """What detections depend on."""
    names = {"preset", "threshold", "isolated"}
    return {
        "region": project.region(keys[0]).outline,
        "detection": config_of(project).model_dump(mode="json", include=names, exclude_none=True),
    }


def sample_settings(project: Project, _: Keys) -> Any:
    """What a sample depends on."""
    return config_of(project).model_dump(mode="json", include={"sample_size", "sample_by", "seed"})


def overlay_settings(project: Project, _: Keys) -> Any:
    """What a summary depends on besides detections."""
    data = project.input(OVERLAYS_PATH)
    return {} if data is None else {"overlays": sha256(data).hexdigest()}
