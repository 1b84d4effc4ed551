// Countries and regions: their series with intervals, or why there is none; and the overview of all.

import { chart } from "./chart.js";
import { el, table } from "./dom.js";
import { counted, km2, percent } from "./format.js";

const MOST_LISTED = 25;

/** The contents of the panel for a country. */
export function countryPanel(world, country, state, act) {
  const interval = (year) => country.estimates.find((one) => one.year === year && one.low !== null);
  const points = country.rows.map((row) => ({ ...row, ...bounds(interval(row.year)) }));
  const why = country.estimates.filter(({ low }) => low === null).map(({ year, reason }) => `${year}: ${reason}`);
  return [
    lead(country.rows, state),
    chart(points, state.year, `Mapped area of ${country.name} in km²`),
    country.no_interval ? el("p", { class: "note" }, country.no_interval) : null,
    why.length ? el("p", { class: "note" }, `No interval for ${why.join("; ")}.`) : null,
    table("Area by year", ["Year", "Mapped", "95 % interval", "Sites observed", "Status"], country.rows.map((row) => {
      const found = interval(row.year);
      const between = found ? `${km2(found.low)} to ${km2(found.high)} (${counted(found.labelled, "point")})` : "none";
      return { class: row.year === state.year ? "now" : null,
        cells: [row.year, km2(row.km2), between, `${row.observed} of ${row.expected}`, row.status] };
    })),
    country.estimates.length ? el("p", { class: "small" }, "An interval is of the labelled sample's estimate, whose "
      + "middle differs from the mapped area where the map is biased.") : null,
    sitesOf(world, "country", country.iso3, state, act),
  ];
}

/** The contents of the panel for a region. */
export function regionPanel(world, region, state, act) {
  return [
    lead(region.rows, state),
    chart(region.rows, state.year, `Mapped area of ${region.title} in km²`),
    yearTable(region.rows, state),
    el("p", { class: "small" }, "Regions may overlap, so they do not add up to a total."),
    sitesOf(world, "region", region.slug, state, act),
  ];
}

/** What stands in the panel while nothing is selected. */
export function overview(world, state, inView, act) {
  const { countries, regions } = world.told;
  return [
    el("p", { class: "lead" }, el("strong", {}, String(state.year)), " ", km2(total(countries, state.year)),
      el("span", { class: "small" }, " mapped in all countries")),
    list("Countries", countries.filter(({ rows }) => rows.some((row) => row.expected)), state,
      ({ iso3 }) => act.select({ country: iso3 })),
    list("Regions", regions.map((one) => ({ ...one, name: one.title })), state, ({ slug }) => act.select({ region: slug })),
    siteList("Sites in view", inView, world, state, act),
  ];
}

const bounds = (found) => (found ? { low: found.low, high: found.high } : {});

function total(countries, year) {
  const areas = countries.map(({ rows }) => rows.find((row) => row.year === year)?.km2).filter((one) => one != null);
  return areas.length ? areas.reduce((sum, one) => sum + one, 0) : null;
}

function lead(rows, state) {
  const row = rows.find((one) => one.year === state.year);
  return [
    el("p", { class: "lead" }, el("strong", {}, String(state.year)), " ", km2(row?.km2 ?? null),
      row?.provisional ? el("span", { class: "mark" }, "provisional") : null),
    row ? el("p", {}, `${row.observed} of ${counted(row.expected, "site")} observed`
      + (row.covered === null ? "" : `, ${percent(row.covered)} of their ground.`)) : null,
  ];
}

function yearTable(rows, state) {
  return table("Area by year", ["Year", "Mapped", "Sites observed", "Ground observed", "Status"], rows.map((row) => ({
    class: row.year === state.year ? "now" : null,
    cells: [row.year, km2(row.km2), `${row.observed} of ${row.expected}`, percent(row.covered) ?? "", row.status],
  })));
}

function list(title, entries, state, onclick) {
  if (!entries.length) return null;
  return el("section", {}, el("h3", {}, title), el("ul", { class: "list" }, entries.map((entry) => el("li", {},
    el("button", { type: "button", class: "link", onclick: () => onclick(entry) }, entry.name),
    el("span", {}, km2(entry.rows.find((row) => row.year === state.year)?.km2 ?? null))))));
}

function sitesOf(world, column, value, state, act) {
  return siteList("Sites", world.sites.of(column, value), world, state, act);
}

function siteList(title, places, { sites }, state, act) {
  const areas = sites.km2(state.year);
  return el("section", {}, el("h3", {}, `${title} (${places.length.toLocaleString("en")})`),
    places.length ? el("ul", { class: "list" }, sites.largest(places, state.year, MOST_LISTED).map((place) => el("li", {},
      el("button", { type: "button", class: "link", onclick: () => act.select({ site: sites.id(place) }) }, sites.id(place)),
      el("span", {}, km2(areas[place]))))) : el("p", {}, "None."),
    places.length > MOST_LISTED ? el("p", { class: "small" }, `The ${MOST_LISTED} largest of them.`) : null);
}
