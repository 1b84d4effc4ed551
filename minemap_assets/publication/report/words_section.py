"""The section on words and measures: what each number means, its unit, and where it is from."""

from minemap_assets.publication.report.document import Column, Prose, Section, Table

_WORDS: tuple[tuple[str, str, str], ...] = (
    ("Site", "A known mine with a square of ground of its own, on which all years are mapped", ""),
    ("Mapped area", "Ground that the maps show as mine, on the ground of known sites; each ground counts once", "km²"),
    (
        "Estimated area",
        "Area by labelled points (a stratified estimate), which corrects what the maps get wrong",
        "km²",
    ),
    ("95 % interval", "Range that holds the true value in 95 of 100 such samples, or resampled places", "as the value"),
    ("Polygons", "Connected mapped ground; one mine may have several", "count"),
    ("Sites observed", "Sites of whose ground some was seen in the year; what was not seen has no area", "count"),
    ("Covered share", "Mean over the expected sites of the share of their ground that was seen", "%"),
    ("Provisional, final", "A year is final when the years around it that confirm it are mapped", ""),
    ("Ground truth", "Outlines that people drew of the mines of one year: the cross in the charts", "km²"),
    ("Threshold, operating point", "Probability from which a pixel is mine, and the name of such a choice", "0 to 1"),
    ("match_area", "The threshold at which mapped and labelled area are equal", "0 to 1"),
    ("max_miou", "The threshold with the highest mIoU", "0 to 1"),
    ("IoU", "Intersection over union: what map and truth both call mine, over what either does", "0 to 1"),
    ("mIoU", "Mean of the IoU of mine and that of all other ground", "0 to 1"),
    ("Accuracy", "Share of points or pixels that are right", "0 to 1"),
    ("Precision (user's accuracy)", "Share of what is mapped as mine that is mine", "0 to 1"),
    ("Recall (producer's accuracy)", "Share of mines that are mapped", "0 to 1"),
    ("Specificity", "Share of other ground that is not mapped as mine", "0 to 1"),
    ("False positive rate", "Share of other ground that is mapped as mine", "0 to 1"),
    ("F1", "Harmonic mean of precision and recall", "0 to 1"),
    ("Matthews correlation", "Correlation of map and truth; 0 is what chance gives", "−1 to 1"),
    ("Kappa", "Agreement of map and truth beyond chance", "−1 to 1"),
    ("Mapped / true area", "Mapped area over that of the labels on the same ground", "ratio"),
    ("Found", "Share of labelled mines of which some ground is mapped", "%"),
    ("Places", "Groups of sites so near each other that they are held out together", "count"),
    ("Posterior, probability", "How sure a date or a polygon is, by the model and all years of the series", "0 to 1"),
    ("Clear share", "Share of the pixels of an image in which the ground was seen", "%"),
    ("Step", "Area after over area before a change of source, where nothing changes on the ground", "ratio"),
)


def words_section() -> Section:
    """What the words of the other sections mean."""
    columns = (
        Column("word", "Word", numeric=False),
        Column("meaning", "What it means", numeric=False),
        Column("unit", "Unit or range", missing="", numeric=False),
    )
    rows = [{"word": word, "meaning": meaning, "unit": unit} for word, meaning, unit in _WORDS]
    return Section(
        "words",
        "Words and measures",
        [
            Prose(
                "Areas are in square kilometres on an equal-area projection (EPSG:6933), coordinates in degrees "
                "(EPSG:4326). Below each table stands what in the project its numbers are from: an asset in the lake "
                "or a view of the database, whose columns the data dictionary explains."
            ),
            Table("words_and_measures", "What the numbers of this report mean", columns, rows),
        ],
    )
