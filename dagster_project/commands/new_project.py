"""A new project, or what one still lacks: from a person's few wishes to settings, a region, known mines and images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd

from dagster_project.commands.advice import say_next_steps
from dagster_project.commands.context import Session, complain, console, counted, note, open_session, parse_season
from dagster_project.commands.known_mines import KnownMines, known_mines, name_from
from minemap_assets.chips.config import ChipsConfig
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84
from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.archive.catalogue import add_archive, check_archive_name, read_archives
from minemap_assets.imagery.sources.archive.index import ArchiveRules
from minemap_assets.imagery.sources.archive.product_detection import index_folder
from minemap_assets.lake.inputs import Inputs
from minemap_assets.planning.expected_sites import covered_shares, expected_sites
from minemap_assets.planning.source_settings import (
    QUICK,
    SourceSettings,
    basemaps,
    earth_engine,
    few_enough,
    held_out_enough,
    open_sentinel2,
    own_images,
    seen_enough,
    wide,
)
from minemap_assets.planning.surroundings import KILOMETRES, around
from minemap_assets.project.region_changes import add_region, check_area, check_not_tiny
from minemap_assets.project.regions import REGIONS_PATH, Region, read_regions, region_from_file, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.project.settings_changes import change_settings, changed
from minemap_assets.reference.assets import ROOM as REFERENCE
from minemap_assets.reference.coverage import notes_on_entry, notes_on_region
from minemap_assets.reference.polygon_sets import polygon_table
from minemap_assets.reference.registered import catalogue
from minemap_assets.reference.registration import register
from minemap_assets.sites.config import SitesConfig
from minemap_assets.sites.ground_truth import PolygonSet

QUICKLY = (
    "Quick: a small model on small windows, to see that everything works; for a map that is meant, put a `# ` before "
    "what is set under [segmentation] and [sites]."
)

_MASK_COLUMNS = {"id": "polygon_id", "group": "group"}


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a person said; None where nothing was said."""

    source: str | None = None
    region: Path | None = None
    truth: Path | None = None
    licence: str | None = None
    title: str | None = None
    season: str | None = None
    images: tuple[Path, ...] = ()
    product: str | None = None
    bands: str | None = None
    year: int | None = None
    reference_year: int | None = None
    account: str | None = None
    quick: bool = False

    @property
    def nothing(self) -> bool:
        """True where no option was given."""
        return self == Wishes()


@dataclass(frozen=True)
class _NewRegion:
    """A region that the project does not have yet; `drawn` around the known mines, or else from a file."""

    region: Region
    drawn: bool


@dataclass(frozen=True)
class _Folder:
    """A folder of images, indexed."""

    name: str
    place: str
    features: bytes
    images: tuple[Image, ...]
    left_out: int


def begin(wishes: Wishes) -> None:
    """Write what the wishes ask for, settings last, and say what was done, what is lacking and what comes next.

    Raises `BadInputError` before anything is written.
    """
    session = open_session()
    if wishes.source == "simulated":
        _begin_simulated(session, wishes)
        return
    _check(wishes)
    where, data = session.project.where, session.project.input(SETTINGS_PATH)
    before = None if data is None else data.decode("utf-8-sig")
    if before is not None and wishes.nothing:
        raise BadInputError(f"{where} exists already; edit it, or remove it to start over")
    if before is None and wishes.source is None and not wishes.images and (wishes.region or wishes.truth):
        wishes = replace(wishes, source="stac")
    pictures = wishes.images[0] if len(wishes.images) == 1 else None
    with known_mines(wishes.truth, pictures) as truth:
        folders = _all_indexed(wishes)
        region = _region_of(session, wishes, truth)
        chosen = _settings_of(session, wishes, folders, region, truth)
        values = {**({} if chosen is None else chosen.values), **(QUICK if wishes.quick else {})}
        if before not in (None, changed(before, values, session.home.parts.sections, where)):
            raise BadInputError(
                f"{where} exists already and says otherwise; edit it, add images with `minemap archive index FOLDER "
                "--use`, or remove it to start over"
            )
        said = [*_register(session, wishes, truth), *_add_archives(session, folders)]
        said += [] if region is None else [_add_region(session, region)]
    if before is None:
        change_settings(session.home, values)
    kept = (
        f"Kept {where}."
        if before is not None
        else f"Wrote {where}; every setting in it that is not set is the default."
    )
    said += [kept, *([QUICKLY] if wishes.quick else [])]
    session = session.reopened()
    if region is not None:
        session.instance()  # which has a partition for every region
    _say(session, wishes, [*said, *(() if chosen is None else chosen.said)], _doubts(session, region, truth))


def _check(wishes: Wishes) -> None:
    """Raises `BadInputError` for wishes that do not go together."""
    mines = wishes.truth is not None
    hints = {"--product": wishes.product, "--bands": wishes.bands, "--year": wishes.year}
    for option, given in hints.items():
        if given is not None and not wishes.images:
            raise BadInputError(f"{option} is about images; give their folder with --images")
    if wishes.images and wishes.source not in (None, "archive"):
        raise BadInputError(
            f"--images are files of your own, which --source {wishes.source} does not read; leave one of both out, "
            "and add more sources in the settings afterwards"
        )
    if wishes.account is not None and wishes.source != "earth-engine":
        raise BadInputError("--account is the cloud project that Earth Engine charges; add --source earth-engine")
    if mines and not (wishes.licence or "").strip():
        raise BadInputError("--truth needs its licence: give --licence, such as 'CC BY 4.0', or --licence unknown")
    if wishes.licence is not None and not mines:
        raise BadInputError("--licence is that of known mines; give them with --truth")
    if wishes.region is None and not mines and (wishes.title is not None or wishes.season is not None):
        option = "--title" if wishes.title is not None else "--season"
        raise BadInputError(f"{option} is about a region; give its file with --region, or known mines with --truth")
    if wishes.product is not None:
        known_product(wishes.product)


def _begin_simulated(session: Session, wishes: Wishes) -> None:
    """The built-in world, which has a region, mines and images of its own."""
    from minemap_assets.planning.image_facts import years_text
    from minemap_assets.simulation.built_in_worlds import load_world
    from minemap_assets.simulation.demo import prepare

    if wishes != Wishes(source=wishes.source, quick=wishes.quick):
        raise BadInputError(
            "--source simulated brings a region, mines and images of its own; give only --quick with it, for the "
            "small world"
        )
    world = load_world("tiny" if wishes.quick else "demo")
    prepare(session.project, world)
    project = session.reopened().project
    regions = ", ".join(project.active_regions())
    console.print(f"The simulated world `{world.name}` lies in {project.lake.store.root}: {regions}.", soft_wrap=True)
    console.print(f"Next: `minemap run --years {years_text(list(world.years))}`, then `minemap ui`.", soft_wrap=True)


def _all_indexed(wishes: Wishes) -> list[_Folder]:
    """Every folder of images. Raises `BadInputError` where two of them would have one name."""
    names = [name_from(folder.name, "-") for folder in wishes.images]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInputError(
            f"--images: two folders would both be the archive {twice}; leave one out, and index it with `minemap "
            "archive index FOLDER --name NAME --use` afterwards"
        )
    return [_indexed(folder, wishes) for folder in wishes.images]


def _indexed(folder: Path, wishes: Wishes) -> _Folder:
    """A folder of images. Raises `BadInputError` where none can be used."""
    place = str(folder.expanduser().absolute())
    if not Path(place).is_dir():
        raise BadInputError(f"--images: {folder} is no folder; give the folder that holds the GeoTIFF files")
    name = name_from(folder.name, "-")
    check_archive_name(name)
    bands = tuple(band.strip() for band in wishes.bands.split(",")) if wishes.bands else None
    rules = ArchiveRules(bands=bands, year=wishes.year)
    report = index_folder(place, name=name, product=wishes.product, rules=rules, pattern="**/*.tif")
    for refusal in report.refused:
        complain(f"{refusal.path}: {refusal.reason}", word="left out ", colour="yellow")
    for sentence in report.notes:
        note(sentence)
    if not report.images:
        raise BadInputError(f"--images: {folder} holds no image that can be used; the reasons stand above")
    return _Folder(name, place, report.features, report.images, len(report.refused))


def _region_of(session: Session, wishes: Wishes, truth: KnownMines | None) -> _NewRegion | None:
    """The region to add, checked; None where none is asked for, or where the project has it. Raises `BadInputError`."""
    season, known = parse_season(wishes.season), session.project.regions
    if wishes.region is not None:
        slug = name_from(wishes.region.stem, "-")
        year = wishes.reference_year
        region = region_from_file(wishes.region, slug, title=wishes.title, season=season, reference_year=year)
        check_not_tiny(region, f"region {slug}")
    elif truth is not None and not session.project.active_regions():
        slug = name_from(wishes.title or truth.name, "-")
        ground = around(truth.polygons)
        region = Region(slug, wishes.title or slug, ground, season, reference_year=wishes.reference_year)
        try:
            check_area(region)
        except BadInputError as error:
            raise BadInputError(
                f"the ground around the {counted(len(truth.polygons), 'polygon')} of {wishes.truth} covers "
                f"{region.area_km2:,.0f} km2, too much for one region; say what to map with --region FILE"
            ) from error
    else:
        return None
    there = known.get(region.slug)
    if there is not None and there.geometry.equals(region.geometry) and there.season == region.season:
        return None
    add_region(known, region)
    return _NewRegion(region, drawn=wishes.region is None)


def _sites_of(
    session: Session, new: _NewRegion | None, truth: KnownMines | None, config: SitesConfig
) -> gpd.GeoDataFrame | None:
    """The sites that known mines will give the region; None without known mines, a region, or any site."""
    regions = [new.region] if new is not None else list(session.project.active_regions().values())[:1]
    if truth is None or not regions:
        return None
    geometries = gpd.GeoDataFrame(geometry=list(truth.polygons), crs=WGS84)
    known = PolygonSet(truth.name, "labels", polygon_table(geometries))
    sites = expected_sites(session.project, regions[0], [known], config)
    return sites if len(sites) else None


def _settings_of(
    session: Session, wishes: Wishes, folders: list[_Folder], new: _NewRegion | None, truth: KnownMines | None
) -> SourceSettings | None:
    """What the source needs; None where no source is named. Raises `BadInputError`."""
    if wishes.source is None and not folders:
        return None
    images: list[Image] = []
    if wishes.source in ("stac", "planet", "earth-engine"):
        known = {"stac": open_sentinel2, "planet": basemaps}.get(wishes.source)
        found = earth_engine(wishes.account) if known is None else known()
        year = wishes.reference_year
        found += None if year is None else SourceSettings({"imagery.reference_year": year}, ())
    else:
        images = _own_images(session, folders)
        months = parse_season(wishes.season)
        rule = SeasonRule() if months is None else SeasonRule(first_month=months[0], last_month=months[1])
        found = own_images(images, rule, wishes.reference_year)
    found += None if wishes.quick else wide(found.products, images)
    project = session.project
    cut = project.section(ChipsConfig).model_copy(update=found.section("chips"))
    windows = project.section(SitesConfig).model_copy(update=found.section("sites"))
    sites = _sites_of(session, new, truth, windows)
    if sites is None:
        return found
    shares = covered_shares(sites.geometry, images).tolist() if images else []
    return found + seen_enough(shares) + few_enough(shares) + held_out_enough(sites, cut)


def _own_images(session: Session, folders: list[_Folder]) -> list[Image]:
    """Those that were indexed earlier, and those of the folders."""
    new = {folder.name for folder in folders}
    images = [image for one in read_archives(session.project) if one.name not in new for image in one.images]
    images += [image for folder in folders for image in folder.images]
    if not images:
        raise BadInputError("--source archive reads files of your own; give their folder with --images FOLDER")
    return images


def _register(session: Session, wishes: Wishes, truth: KnownMines | None) -> list[str]:
    if truth is None:
        return []
    registration = register(
        session.home.lake.store,
        truth.file,
        name=truth.name,
        kind="polygons",
        licence=wishes.licence or "",
        role="labels",
        origin=str(wishes.truth) if truth.masks else "",
        reference_year=wishes.reference_year,
        columns=_MASK_COLUMNS if truth.masks else None,
        reserved=frozenset(asset.name for asset in session.graph.assets if asset.room != REFERENCE.name),
    )
    for sentence in registration.notes:
        note(sentence)
    return [f"Known mines: {registration.sentence}."]


def _add_archives(session: Session, folders: list[_Folder]) -> list[str]:
    said = []
    for one in folders:
        add_archive(session.home.lake.store, one.name, one.place, one.features)
        products = ", ".join(sorted({image.product for image in one.images}))
        left = f", {counted(one.left_out, 'file')} left out" if one.left_out else ""
        said.append(f"Images: archive {one.name}, {counted(len(one.images), 'image')} of {products}{left}.")
    return said


def _add_region(session: Session, new: _NewRegion) -> str:
    inputs, region = Inputs(session.home.lake.store), new.region

    def edit(data: bytes | None) -> bytes:
        with inputs.reading(REGIONS_PATH, data):
            known = {} if data is None else read_regions(data)
        return write_regions(add_region(known, region).regions.values())

    inputs.change(REGIONS_PATH, edit)
    drawn = f", the ground within {KILOMETRES:g} km of the known mines" if new.drawn else ""
    return f"Region: {region.slug} ({region.area_km2:,.0f} km2{drawn})."


def _say(session: Session, wishes: Wishes, said: Iterable[str], doubts: Iterable[str]) -> None:
    """What was done, what is doubtful, and what comes next."""
    for sentence in said:
        console.print(sentence, markup=False, soft_wrap=True)
    for sentence in doubts:
        note(sentence)
    say_next_steps(session)
    if wishes.nothing:
        console.print("`minemap status` shows how far a project is, `minemap demo` a whole one on simulated images.")


def _doubts(session: Session, new: _NewRegion | None, truth: KnownMines | None) -> Iterator[str]:
    """What may be wrong with where the region and the known mines lie."""
    project = session.project
    if new is not None:
        yield from notes_on_region(project, new.region.geometry, f"region {new.region.slug}")
    elif truth is not None and (entry := catalogue(project).find(truth.name)) is not None:
        yield from notes_on_entry(project, entry)
