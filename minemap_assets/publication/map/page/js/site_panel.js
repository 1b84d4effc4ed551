// All that is known of a site: its series, what the year is made from, when it was first mined, and its outlines.

import { chart } from "./chart.js";
import { el, facts, table } from "./dom.js";
import { NOT_OBSERVED, counted, firstYear, km2, lastYear, percent, short } from "./format.js";

const LARGEST = 6; // outlines that are listed at once

/** The contents of the panel for a site; `act` holds what its buttons do. */
export function sitePanel(world, site, detail, state, act) {
  const region = world.told.regions.find(({ slug }) => slug === site.region);
  const country = world.told.countries.find(({ iso3 }) => iso3 === site.iso3);
  const year = detail.years.find((one) => one.year === state.year);
  return [
    el("p", { class: "where" },
      el("button", { type: "button", class: "link", onclick: () => act.select({ region: site.region }) },
        region?.title ?? site.region),
      country ? [" · ", el("button", { type: "button", class: "link", onclick: () => act.select({ country: site.iso3 }) },
        country.name)] : null),
    el("p", { class: "lead" }, el("strong", {}, String(state.year)), " ", km2(year?.km2 ?? null),
      year?.status === "provisional" ? el("span", { class: "mark" }, "provisional") : null),
    year?.reason ? el("p", { class: "note" }, `Not observed: ${year.reason}. That is no zero.`) : null,
    chart(detail.years.map(asPoint), state.year, "Mapped area of the site in km²"),
    el("p", { class: "small" }, "Hollow dots are provisional. A gap with a question mark was not observed."),
    photograph(site, state),
    outlines(year, state, act),
    mines(detail.mines),
    provenance(year),
    seriesTable(detail.years),
  ];
}

const asPoint = ({ year, km2: value, status }) => ({ year, km2: value, provisional: status === "provisional" });

function photograph(site, state) {
  if (site.pictures.includes(state.year)) return null;
  const some = site.pictures.length ? ` There are pictures of ${site.pictures.join(", ")}.` : "";
  return el("p", { class: "note" }, `No picture of ${state.year} is kept here.${some}`);
}

function outlines(year, state, act) {
  const found = year?.outlines ?? [];
  const rejected = act.rejected();
  return el("section", {}, el("h3", {}, `Outlines in ${state.year}`),
    found.length ? null : el("p", {}, year?.km2 === null ? `${NOT_OBSERVED} in ${state.year}` : "None."),
    outlineList(found.slice(0, LARGEST), rejected, state, act),
    found.length > LARGEST ? el("details", {}, el("summary", {}, `${found.length - LARGEST} smaller ones`),
      outlineList(found.slice(LARGEST), rejected, state, act)) : null);
}


function outlineList(found, rejected, state, act) {
  if (!found.length) return null;
  return el("ul", { class: "outlines" }, found.map((one) => {
    const said = rejected.get(one.id);
    return el("li", { class: state.polygon === one.id ? "chosen" : null },
      el("button", { type: "button", class: "link", onclick: () => act.show({ polygon: one.id }) }, one.id),
      el("span", {}, ` ${km2(one.km2)}, mean probability ${one.p.toFixed(2)}${one.correction ? `, ${one.correction}` : ""}`),
      said ? el("p", { class: "note" }, `Rejected by ${said.author} on ${said.date}: ${said.reason}. `
        + "It stays on the map until the next run.")
        : el("button", { type: "button", class: "small-button", onclick: () => act.reject(one.id),
          "aria-label": `Reject ${one.id}` }, "Reject…"));
  }));
}

function mines(found) {
  if (!found.length) return null;
  return el("section", {}, el("h3", {}, "First and last year"),
    el("ul", { class: "mines" }, found.map((mine) => el("li", {},
      facts([
        ["First mined", firstYear(mine)],
        ["Last seen", lastYear(mine)],
        ["Ever mined", km2(mine.ever_km2)],
        ["Mine", mine.id],
      ])))));
}

function provenance(year) {
  if (!year) return null;
  const scenes = year.scenes ?? [];
  return el("section", {}, el("h3", {}, `What ${year.year} is made from`),
    facts([
      ["Ground observed", percent(year.observed_share)],
      ["Source", year.source],
      ["Product", year.product],
      ["Images used", year.first_date ? dates(year) : null],
      ["Clear pixels", percent(year.clear ?? null)],
      ["Clear observations", year.clear_count === undefined ? null : `${year.clear_count} a pixel, on average`],
      ["Longest gap", year.gap_days === null || year.gap_days === undefined ? null : counted(year.gap_days, "day")],
      ["Cloud mask", year.cloud_mask],
      ["Model", year.models.map(short).join(", ")],
      ["Terms", year.terms],
    ]),
    scenes.length ? el("details", {}, el("summary", {}, counted(scenes.length, "image")),
      el("ul", { class: "scenes" }, scenes.map((scene) => el("li", {}, scene)))) : null);
}

const dates = ({ first_date: first, last_date: last }) => (first === last ? first : `${first} to ${last}`);

function seriesTable(years) {
  return el("details", {}, el("summary", {}, "All years as a table"),
    table("Mapped area by year", ["Year", "Area", "Observed", "Status"], years.map((one) => (
      { cells: [one.year, km2(one.km2), percent(one.observed_share), one.status] }))));
}
