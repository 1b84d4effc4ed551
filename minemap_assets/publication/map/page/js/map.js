// The map itself, and the second one under the swipe, which follows its camera.

import { CLICKABLE, loadWindows, markSite, showYear, stripes, styleOf } from "./layers.js";
import { Pictures } from "./pictures.js";

const MOST_ZOOM = 17;

/** A map in an element; resolves when its style is there. */
export async function makeMap(container, world, view, interactive) {
  const { told, sites } = world;
  const map = new maplibregl.Map({
    container,
    style: styleOf(told),
    attributionControl: false,
    interactive,
    dragRotate: false,
    pitchWithRotate: false,
    maxZoom: MOST_ZOOM,
    renderWorldCopies: false,
    fadeDuration: 0,
    ...view,
  });
  map.minemapYears = told.years;
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.on("styleimagemissing", ({ id }) => { if (id === "unseen" && !map.hasImage(id)) map.addImage(id, stripes()); });
  await new Promise((ready) => { map.once("load", ready); });
  map.minemapPictures = new Pictures(map, sites);
  map.minemapSites = { sites, marked: null };
  loadWindows(map);
  return map;
}

/** Draws a state on a map. */
export function draw(map, state) {
  showYear(map, state);
  const known = map.minemapSites;
  if (known.marked !== state.site) markSite(map, state.site === null ? null : known.sites.get(state.site));
  known.marked = state.site;
  map.minemapPictures.show(state.imagery ? state.year : null);
}

/** What lies under a click: the nearest mine or site, and the country. */
export function hit(map, point) {
  const reach = 5;
  const box = [[point.x - reach, point.y - reach], [point.x + reach, point.y + reach]];
  const found = map.queryRenderedFeatures(box, { layers: CLICKABLE });
  const of = (name) => found.find((one) => one.properties[name])?.properties[name] ?? null;
  const outline = found.find((one) => ["mines", "stable"].includes(one.layer.id));
  const window = found.find((one) => one.layer.id === "windows")?.properties.id ?? null;
  const country = map.queryRenderedFeatures(point, { layers: ["land"] })[0]?.properties.iso3 ?? null;
  return { site: of("site") ?? window, polygon: outline?.properties.id ?? null, country, cluster: cluster(found) };
}

/** A point that stands for several mines. */
function cluster(found) {
  const point = found.find((one) => one.layer.id === "points" && !one.properties.site);
  return point ? point.geometry.coordinates : null;
}
