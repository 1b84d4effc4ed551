// What stands before every figure, how to read the map, and where all of it comes from.

import { byId, el } from "./dom.js";

const GRADES = { usable: "good", weak: "fair" };

/** The verdict on the model and the state of the review, always in sight. */
export function showStanding({ standing }) {
  const mood = GRADES[standing.grade] ?? "poor";
  byId("standing").classList.add(mood);
  byId("standing").append(el("p", {},
    el("strong", {}, `Verdict on the model: ${standing.grade}. `),
    el("strong", { class: standing.free ? null : "waits" }, `Review: ${standing.release}. `),
    standing.sentence ? el("span", {}, sentence(standing.sentence)) : null));
}

/** Words as a sentence: a capital, and a full stop. */
function sentence(words) {
  const whole = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

const READING = [
  ["What is outlined", "Ground that a model takes for a mine in satellite images of one season, at places where mines are "
    + "known. There are mines that are not known; where there is no site, nothing was looked for."],
  ["What looks like a mine", "Sandbars of rivers, ponds of fish farms, landslides, quarries of roads, cleared and burnt "
    + "fields. Look at the imagery of several years before you believe an outline, and reject one that is wrong."],
  ["Not observed is not zero", "Cloud, or no image. Such a site has no area in that year: a gap in its series, and stripes "
    + "on the map. Sums count only what was observed."],
  ["Provisional", "A year is confirmed by the years around it. Until those are there its outlines are dashed, and may "
    + "change."],
  ["No longer visible is not closed", "Ground grows over, a pit fills with water. A mine that is no longer visible may be "
    + "at work under ground, at rest, or closed: the image does not say."],
  ["Not about the law", "A detection is no statement on legality. The maps know neither permits nor borders of "
    + "concessions, and nobody may be accused by them."],
  ["Gain and loss", "The change from one year to the next is also that of images, of cloud and of the model's doubt. Small "
    + "ones say little; read the interval and the verdict first."],
  ["When it began", "The interval of the first year says between which years the model is sure at 95 %. An end that lies "
    + "beyond the record is told as such."],
];

/** Fills the dialog that says how to read the map. */
export function fillReading() {
  fill("reading", "How to read this", el("dl", {}, READING.map(([term, text]) => [el("dt", {}, term), el("dd", {}, text)])),
    el("h3", {}, "Keys"),
    el("p", {}, "Tab moves through everything. On the map arrows move, + and - change the scale. On the years arrows change "
      + "the year. Escape closes a panel or a window, and / goes to the search."));
}

/** Fills the dialog of inputs, licences and credits. */
export function fillSources({ told, places }) {
  const basemap = told.basemap.attribution ? [el("li", {}, `Basemap: ${told.basemap.attribution}`)] : [];
  fill("sources", "Where it comes from",
    el("ul", { class: "inputs" }, told.attributions.map((one) => el("li", {},
      el("strong", {}, one.name), ` (${one.role}): ${one.licence}`,
      one.citation ? el("p", { class: "small" }, one.citation) : null,
      one.source ? el("p", { class: "small" }, one.source) : null)), basemap),
    el("p", {}, `Model: ${told.standing.version ? told.standing.version.slice(0, 12) : "none in use"}. `
      + `Outlines: ${told.rule.operating_points.join(", ") || "none"}; confirmed by ${told.rule.temporal.join(", ") || "no rule"}.`),
    told.pictures.note ? el("p", {}, told.pictures.note) : null,
    el("p", { class: "small" }, `Map drawn with MapLibre GL JS (BSD-3-Clause). ${places.credit}`));
}

function fill(id, title, ...contents) {
  const dialog = byId(id);
  const close = el("button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(el("h2", { id: `${id}-title`, tabindex: "-1", autofocus: true }, title), ...contents, el("div", { class: "buttons" }, close));
  byId(`open-${id}`).addEventListener("click", () => dialog.showModal());
}
