"""The scores of one product: whole sites, the model's and the baseline's, in one pass each."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from minemap_assets.chips.reader import ChipSet
from minemap_assets.segmentation.baseline import Rule
from minemap_assets.segmentation.evaluation.contrast import contrast
from minemap_assets.segmentation.evaluation.drawing import Shown, choose_sites, colours, evaluation_picture
from minemap_assets.segmentation.evaluation.mine_sizes import mines_of
from minemap_assets.segmentation.evaluation.question import Question
from minemap_assets.segmentation.evaluation.site_scores import SiteScore, score_site
from minemap_assets.segmentation.evaluation.table import Method, metric_rows
from minemap_assets.segmentation.metrics import BASELINE, FOLDS
from minemap_assets.segmentation.site_scoring import SitePicture, site_pictures, sites_of_refs
from minemap_assets.segmentation.verdict import POINT
from minemap_assets.sites.cells import SiteCell


@dataclass(frozen=True)
class Ground:
    """What is scored: labelled chips, whose ground is whose, and the region of each chip set (may be empty)."""

    chips: Sequence[ChipSet]
    cells: Mapping[str, SiteCell]
    regions: Sequence[str]

    def pictures(self, question: Question) -> Iterator[SitePicture]:
        """The sites of a question."""
        for picture in site_pictures(self.chips, question.refs, question.probability_of, self.cells):
            yield replace(picture, split=question.split)

    def score(self, question: Question, method: Method) -> Iterator[SiteScore]:
        """Scores of the sites of a question."""
        chips_of = {its[0].site_id: its for its in sites_of_refs(question.refs)}
        for picture in self.pictures(question):
            mines = mines_of(picture.labels, picture.metres)
            stands_out = math.nan
            if len(mines.sizes):
                stands_out = contrast(self.chips, chips_of[picture.site_id], picture, mines.around)
            region = self.regions[picture.chip_set] if self.regions else ""
            yield score_site(picture, mines, method.thresholds, region, stands_out)

    def score_baseline(self, question: Question, rule: Rule, scores: Sequence[SiteScore]) -> Iterator[SiteScore]:
        """The same sites as a threshold shows them; `scores` are the model's."""
        asked = replace(question, probability_of=rule.probabilities)
        for picture, known in zip(self.pictures(asked), scores, strict=True):
            mines = mines_of(picture.labels, picture.metres)
            yield score_site(picture, mines, {BASELINE: 0.5}, known.region, known.contrast)


class ProductScores:
    """The scores of one product: `rows` of the table, and all sites `scored`, as its questions are asked."""

    def __init__(self, ground: Ground, rule: Rule, method: Method, seed: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self.scored: list[SiteScore] = []
        self._ground = ground
        self._rule = rule
        self._method = method
        self._seed = seed

    def ask(self, questions: Sequence[Question]) -> None:
        """Score the questions of one split."""
        baseline = Method(BASELINE, {BASELINE: self._rule.value}, self._rule.text)
        scores: list[SiteScore] = []
        theirs: list[SiteScore] = []
        for question in questions:
            found = list(self._ground.score(question, self._method))
            scores += found
            if question.split != FOLDS:  # where the threshold was chosen
                theirs += self._ground.score_baseline(question, self._rule, found)
        self.scored += scores
        self.rows += metric_rows(scores, self._method, self._seed) + metric_rows(theirs, baseline, self._seed)

    def picture(self, questions: Sequence[Question]) -> bytes | None:
        """The best, the median and the worst site, and how reliable probabilities are; None where no mine was held out.

        Of several splits it shows the first that has mines.
        """
        for question in questions:
            scores = [s for s in self.scored if s.split == question.split]
            chosen = choose_sites(scores)
            if chosen:
                return evaluation_picture(self._shown(chosen, questions), scores)
        return None

    def _shown(self, chosen: Mapping[str, SiteScore], questions: Sequence[Question]) -> Iterator[Shown]:
        """The chosen sites, predicted once more: nobody keeps the pictures of all of them."""
        threshold = self._method.thresholds[POINT]
        for name, score in chosen.items():
            for question in questions:
                refs = tuple(r for r in question.refs if r.site_id == score.site_id)
                if refs and question.split == score.split:
                    (picture,) = self._ground.pictures(replace(question, refs=refs))
                    yield Shown(name, picture, score, threshold, colours(self._ground.chips, refs, picture))
