// The panel beside the map: a site, a country, a region, or the overview.

import { countryPanel, overview, regionPanel } from "./area_panel.js";
import { byId, el } from "./dom.js";
import { sitePanel } from "./site_panel.js";

const SHOWN_BY = ["year", "site", "country", "region", "polygon", "view", "session"];

/** Keeps the panel to what is selected. */
export function makePanel(store, world, act) {
  const panel = byId("details");
  let drawn = 0;
  let selected = null;
  store.listen(async (state, changed) => {
    if (!SHOWN_BY.some((name) => changed.has(name))) return;
    const something = state.site ?? state.country ?? state.region;
    if (something === null && changed.size === 1 && changed.has("polygon")) return;
    if (something !== null && changed.size === 1 && changed.has("view")) return;
    const turn = ++drawn;
    const { title, kind, contents } = await described(world, state, act);
    if (turn !== drawn) return; // something else was selected meanwhile
    const scrolled = selected === something ? panel.scrollTop : 0;
    const open = [...panel.querySelectorAll("details")].map((one) => one.open);
    const heading = el("h2", { tabindex: "-1" }, el("small", {}, kind), title);
    const close = something === null ? null : el("button", {
      type: "button", class: "close", "aria-label": "Close", onclick: () => act.clear(),
    }, "×");
    panel.replaceChildren(el("div", { class: "panel-head" }, heading, close), el("div", { class: "panel-body" }, contents));
    if (selected === something) [...panel.querySelectorAll("details")].forEach((one, n) => { one.open = open[n] ?? one.open; });
    panel.scrollTop = scrolled;
    panel.classList.toggle("open", something !== null);
    if (something !== null && selected !== something && state.focus) heading.focus({ preventScroll: true });
    selected = something;
  });
}

async function described(world, state, act) {
  const named = (entries, name, value) => entries.find((one) => one[name] === value);
  if (state.site !== null) {
    const site = world.sites.get(state.site);
    return { kind: "Site", title: site.id, contents: sitePanel(world, site, await world.detail(site), state, act) };
  }
  if (state.country !== null) {
    const country = named(world.told.countries, "iso3", state.country);
    return { kind: "Country", title: country.name, contents: countryPanel(world, country, state, act) };
  }
  if (state.region !== null) {
    const region = named(world.told.regions, "slug", state.region);
    return { kind: "Region", title: region.title, contents: regionPanel(world, region, state, act) };
  }
  return { kind: "All of it", title: "Overview", contents: overview(world, state, act.inView(), act) };
}
