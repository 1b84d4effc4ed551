// What the colours mean, and what a reader has to know of the year that is shown.

import { byId, el } from "./dom.js";
import { CHANGE, UNKNOWN, yearColours } from "./colours.js";

const swatch = (style, words) => el("li", {}, el("span", { class: "swatch", style }), words);

/** Keeps the legend to what is shown. */
export function makeLegend(store, told) {
  const colours = yearColours(told.years);
  store.listen((state, changed) => {
    if (!["year", "mode"].some((name) => changed.has(name))) return;
    byId("legend").replaceChildren(...(state.mode === "first" ? byFirst(told, colours) : byChange(told, state)), common());
  });
}

function byFirst(told, colours) {
  return [
    el("p", {}, "First year mapped as mine"),
    el("ul", { class: "years" }, told.years.map((year, place) =>
      swatch(`background:${colours.get(year)}`, place ? String(year) : `${year} or before`)),
      told.first_year_unknown ? swatch(`background:${UNKNOWN}`, "not known") : null),
  ];
}

function byChange(told, state) {
  const place = told.years.indexOf(state.year);
  if (place === 0) return [el("p", {}, `${state.year} is the first year: there is none before to compare it with.`)];
  return [
    el("p", {}, `${told.years[place - 1]} to ${state.year}`),
    el("ul", {}, Object.values(CHANGE).map(({ fill, line, words }) =>
      swatch(`background:${fill};border:1.5px ${words.includes("dashed") ? "dashed" : "solid"} ${line}`, words))),
    el("p", { class: "small" }, "Dots: changes too small for an outline, or no more than narrow strips along edges."),
  ];
}

const common = () => el("ul", {},
  swatch("border:1.5px dashed #1f2937", "dashed outline: provisional"),
  el("li", {}, el("span", { class: "swatch striped" }), "site not observed in this year"));
