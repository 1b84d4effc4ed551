// The page: reads what it knows, makes the map, and joins its parts. What is shown is one state, kept in the address.

import { askRejection } from "./correction.js";
import { byId, el } from "./dom.js";
import { makeLegend } from "./legend.js";
import { draw, hit, makeMap } from "./map.js";
import { Names, candidates } from "./names.js";
import { makePanel } from "./panel.js";
import { link, readLink } from "./permalink.js";
import { addPmtiles } from "./pmtiles.js";
import { makeSearch } from "./search.js";
import { makeStore } from "./store.js";
import { Swipe } from "./swipe.js";
import { makeTimeline } from "./timeline.js";
import { fillReading, fillSources, showStanding } from "./words.js";
import { loadWorld } from "./world.js";

const NOTHING = { site: null, country: null, region: null, polygon: null };
const DRAWN_BY = ["year", "mode", "imagery", "site", "polygon"];
const SITE_ZOOM = 12;
const HOVER_PAUSE = 60; // milliseconds that the pointer rests before it is asked what lies below it

async function start() {
  const world = await loadWorld();
  byId("not-started").remove();
  const { told } = world;
  document.title = `Mining areas ${span(told.years)}`;
  byId("title").textContent = document.title;
  showStanding(told);
  fillReading();
  fillSources(world);
  addPmtiles(maplibregl);

  const known = {
    years: told.years, site: world.sites,
    country: new Set(told.countries.map(({ iso3 }) => iso3)), region: new Set(told.regions.map(({ slug }) => slug)),
  };
  const { view, ...asked } = readLink(location.hash, known);
  const store = makeStore({
    year: lastSeen(told), mode: "first", imagery: false, before: null, ...NOTHING,
    view: 0, focus: false, session: world.session, ...asked,
  });
  const map = await makeMap("map", world, view ?? { bounds: extent(told), fitBoundsOptions: { padding: room() } }, true);
  window.minemap = { map, store }; // for whoever looks from the browser's console
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "bottom-right");
  map.addControl(new maplibregl.ScaleControl({ maxWidth: 120 }), "bottom-left");
  map.getCanvas().setAttribute("aria-label", "Map of mining areas: arrow keys move it, plus and minus change its scale");

  const act = actions(store, world, map);
  const swipe = new Swipe(map, world);
  makeTimeline(store, told);
  makeLegend(store, told);
  makeControls(store, told);
  makePanel(store, world, act);
  new Names(map, candidates(world));
  makeSearch(() => entries(world), (entry) => act.go(entry));
  store.listen((state, changed) => {
    if (DRAWN_BY.some((name) => changed.has(name))) draw(map, state);
    if ([...DRAWN_BY, "before"].some((name) => changed.has(name))) swipe.show(state);
  });
  keepAddress(store, map, known);
  listenToMap(map, act);
  listenToKeys(act);
  document.documentElement.dataset.ready = "yes";
}

/** What people can do, whatever with. */
function actions(store, world, map) {
  let returnTo = null;
  const fly = (target) => map.easeTo({ ...target, duration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 600 });
  const act = {
    show: (patch) => store.set(patch),
    select(wanted, { move = true } = {}) {
      if (store.get().site === null && store.get().country === null) returnTo = document.activeElement;
      store.set({ ...NOTHING, ...wanted, focus: move });
      if (move) act.moveTo(wanted);
    },
    moveTo({ site, country, region }) {
      if (site) fly({ center: world.sites.get(site).at, zoom: siteZoom(world.sites, site, map), offset: middle() });
      const box = region ? world.told.regions.find(({ slug }) => slug === region)?.box
        : world.told.borders.find(({ iso3 }) => iso3 === country)?.box;
      if (box) map.fitBounds([[box[0], box[1]], [box[2], box[3]]], { padding: room(), maxZoom: SITE_ZOOM, duration: 600 });
    },
    clear() {
      store.set(NOTHING);
      if (returnTo?.isConnected) returnTo.focus();
      else map.getCanvas().focus();
      returnTo = null;
    },
    go(entry) {
      if (entry.select) act.select(entry.select);
      else fly({ center: entry.at, zoom: Math.max(map.getZoom(), entry.zoom ?? 11) });
    },
    click(found) {
      if (found.cluster) return fly({ center: found.cluster, zoom: map.getZoom() + 2 });
      if (found.site) act.select({ site: found.site, polygon: found.polygon }, { move: false });
      else if (found.country) act.select({ country: found.country }, { move: false });
      return null;
    },
    reject: (polygonId) => askRejection(polygonId, store.get(), (told) => {
      const { session } = store.get();
      store.set({ session: { ...session, rejected: told.rejected }, polygon: polygonId });
      byId("announce").textContent = told.said;
    }),
    rejected: () => new Map((store.get().session.rejected ?? []).map((one) => [one.polygon_id, one])),
    inView() {
      const bounds = map.getBounds();
      return world.sites.inside(bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth());
    },
  };
  act.click = withKnownCountry(act.click, world);
  return act;
}

/** Countries without any figure are not opened. */
const withKnownCountry = (click, world) => (found) => {
  const known = world.told.countries.some(({ iso3 }) => iso3 === found.country);
  return click({ ...found, country: known ? found.country : null });
};

function makeControls(store, told) {
  for (const radio of document.querySelectorAll("[name=mode]")) {
    radio.addEventListener("change", () => store.set({ mode: radio.value }));
  }
  byId("imagery").addEventListener("change", ({ target }) => store.set({ imagery: target.checked }));
  const select = byId("before-year");
  select.append(...told.years.map((year) => el("option", { value: year }, year)));
  select.value = told.years[0];
  const compare = () => store.set({ before: byId("compare").checked ? Number(select.value) : null });
  select.addEventListener("change", () => { byId("compare").checked = true; compare(); });
  byId("compare").addEventListener("change", compare);
  store.listen((state) => {
    document.querySelector(`[name=mode][value=${state.mode}]`).checked = true;
    byId("imagery").checked = state.imagery;
    byId("compare").checked = state.before !== null;
    if (state.before !== null) select.value = state.before;
  });
  if (matchMedia("(max-width: 700px)").matches) byId("layers").open = false;
}

function keepAddress(store, map, known) {
  let written = location.hash;
  const write = () => {
    written = link(store.get(), { center: map.getCenter(), zoom: map.getZoom() });
    history.replaceState(null, "", written);
  };
  store.listen(write);
  map.on("moveend", () => { write(); store.set({ view: store.get().view + 1 }); });
  window.addEventListener("hashchange", () => {
    if (location.hash === written) return;
    const { view, ...asked } = readLink(location.hash, known);
    store.set({ ...NOTHING, before: null, ...asked });
    if (view) map.jumpTo(view);
  });
}

function listenToMap(map, act) {
  map.on("click", ({ point }) => act.click(hit(map, point)));
  let waiting = null;
  map.on("mousemove", ({ point }) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const found = map.isMoving() ? null : hit(map, point);
      map.getCanvas().style.cursor = found && (found.site || found.cluster) ? "pointer" : "";
    }, HOVER_PAUSE);
  });
}

function listenToKeys(act) {
  window.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const writing = ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement.tagName);
    if (event.key === "Escape" && !event.defaultPrevented) act.clear();
    if (event.key === "/" && !(writing && document.activeElement.type !== "range")) {
      event.preventDefault();
      byId("search").focus();
    }
  });
}

/** What can be searched for; of equal matches the lighter one comes first. */
function entries({ sites, told, places }) {
  const titles = new Map(told.regions.map(({ slug, title }) => [slug, title]));
  const figures = new Set(told.countries.map(({ iso3 }) => iso3));
  return [
    ...told.regions.map(({ slug, title }) => ({ kind: "region", name: title, more: slug, select: { region: slug }, weight: 0 })),
    ...told.borders.map(({ iso3, name, at }) => (
      { kind: "country", name, more: iso3, weight: 1, at, zoom: 5, select: figures.has(iso3) ? { country: iso3 } : null })),
    ...siteEntries(sites, titles),
    ...places.places.map(({ name, at }) => ({ kind: "town", name, at, weight: 3 })),
  ];
}

function siteEntries({ columns }, titles) {
  const kinds = columns.regions.map((slug) => `site in ${titles.get(slug) ?? slug}`);
  return columns.id.map((id, place) => ({ kind: kinds[columns.region[place]], name: id, select: { site: id }, weight: 2 }));
}

/** The scale at which the window of a site fills what the controls leave of the map. */
function siteZoom(sites, id, map) {
  const width = sites.width(sites.get(id).place);
  if (!width) return SITE_ZOOM;
  const { clientWidth, clientHeight } = map.getContainer();
  const { left, right, top, bottom } = room();
  const pixels = Math.max(120, Math.min(clientWidth - left - right, clientHeight - top - bottom));
  return Math.min(15, Math.max(8, Math.log2((360 * pixels) / (512 * width))));
}

/** How far the middle of the free part of the map lies from its middle, in pixels. */
function middle() {
  const { left, right, top, bottom } = room();
  return [(left - right) / 2, (top - bottom) / 2];
}

function extent({ extent: known }) {
  const [west, south, east, north] = known ?? [-180, -60, 180, 75];
  return [[west, south], [east, north]];
}

/** Space that the controls over the map need, in pixels. */
const room = () => (matchMedia("(max-width: 700px)").matches
  ? { top: 16, bottom: 66, left: 20, right: 20 } : { top: 40, bottom: 90, left: 270, right: 60 });

/** The last year in which anything was observed. */
const lastSeen = ({ years, unseen }) => years.findLast((year) => !unseen.includes(year)) ?? years.at(-1);

const span = (years) => (years.length === 1 ? String(years[0]) : `${years[0]} to ${years.at(-1)}`);

start().catch((error) => {
  const note = byId("not-started") ?? document.body.appendChild(el("p", { id: "not-started" }));
  note.classList.add("failed");
  note.textContent = `The map cannot be shown: ${error.message}`;
  throw error;
});
