// The layers of the map and what of them is shown for a year.

import { CHANGE, INK, firstYearExpression } from "./colours.js";

export const CLICKABLE = ["gain", "loss", "mines", "stable", "points", "change-points", "windows"];

const MINES = "mines";
// coasts are drawn coarsely: seen closely, ground beyond them is not to look like the sea
const WATER = ["interpolate", ["linear"], ["zoom"], 7, "#dfe7ec", 9.5, "#f1f1ee"];
const RADIUS = ["interpolate", ["linear"], ["sqrt", ["get", "km2"]], 0, 3.5, 3, 7, 30, 18];
const PLAIN = { "fill-antialias": false }; // every fill has a line over its edge: no need to draw a softer one as well
const WINDOWS_FROM = 9; // before it, the window of a site is a few pixels wide
const NOTHING = { type: "FeatureCollection", features: [] };

/** A file beside the page, by an address that workers understand too: they read and cut it, so that the page need not. */
const file = (name) => new URL(`data/${name}.json`, document.baseURI).href;

/** The style of a map: no font, no picture and no address of another host, but for a basemap. */
export function styleOf(told) {
  const sources = {
    // coarser than by default, in pixels: a processor that draws without a graphics card needs half the time
    borders: { type: "geojson", data: file("borders"), tolerance: 1.2 },
    windows: { type: "geojson", data: NOTHING },
    unseen: { type: "geojson", data: file("unseen") },
    selected: { type: "geojson", data: NOTHING },
    mines: { type: "vector", tiles: [`pmtiles://${told.tiles}/{z}/{x}/{y}`], maxzoom: told.max_zoom },
  };
  const layers = [
    { id: "water", type: "background", paint: { "background-color": WATER } },
    { id: "land", type: "fill", source: "borders", paint: { "fill-color": "#f6f4ef", ...PLAIN } },
  ];
  if (told.basemap.url) {
    sources.basemap = { type: "raster", tiles: [told.basemap.url], tileSize: 256 };
    layers.push({ id: "basemap", type: "raster", source: "basemap" });
  }
  const line = { "line-color": "#77808c", "line-width": ["interpolate", ["linear"], ["zoom"], 2, 0.6, 10, 1.6] };
  layers.push({ id: "borders", type: "line", source: "borders", paint: line }, ...mineLayers(told.years));
  return { version: 8, sources, layers };
}

function mineLayers(years) {
  const first = firstYearExpression(years);
  const drawn = (id, type, layer, paint, more = {}) =>
    ({ id, type, source: MINES, "source-layer": layer, paint, filter: ["==", ["get", "year"], 0], ...more });
  return [
    {
      id: "windows", type: "fill", source: "windows", minzoom: WINDOWS_FROM,
      paint: { "fill-color": "#000", "fill-opacity": 0, ...PLAIN },
    },
    {
      id: "windows-line", type: "line", source: "windows", minzoom: WINDOWS_FROM,
      paint: { "line-color": "#5b6470", "line-width": 1, "line-opacity": 0.7 },
    },
    {
      id: "unseen", type: "fill", source: "windows", minzoom: WINDOWS_FROM,
      paint: { "fill-pattern": "unseen" }, filter: ["==", ["get", "id"], ""],
    },
    {
      id: "unseen-dot", type: "circle", source: "unseen", maxzoom: WINDOWS_FROM, filter: ["==", ["get", "id"], ""],
      paint: {
        "circle-radius": 5, "circle-color": "#ffffff", "circle-opacity": 0.6,
        "circle-stroke-color": "#4b5563", "circle-stroke-width": 1.5,
      },
    },
    drawn("mines", "fill", "polygons", { "fill-color": first, "fill-opacity": 0.7, ...PLAIN }),
    drawn("stable", "fill", "polygons", { "fill-color": CHANGE.stable.fill, "fill-opacity": 0.6, ...PLAIN }),
    drawn("gain", "fill", "changes", { "fill-color": CHANGE.gain.fill, "fill-opacity": 0.8, ...PLAIN }),
    drawn("loss", "fill", "changes", { "fill-color": CHANGE.loss.fill, "fill-opacity": 0.75, ...PLAIN }),
    drawn("mines-casing", "line", "polygons", { "line-color": "#ffffff", "line-width": 3.2 }),
    drawn("mines-line", "line", "polygons", { "line-color": INK, "line-width": 1.2 }),
    drawn("mines-provisional", "line", "polygons",
      { "line-color": INK, "line-width": 1.2, "line-dasharray": [3, 2] }),
    drawn("gain-line", "line", "changes", { "line-color": CHANGE.gain.line, "line-width": 1.2 }),
    drawn("loss-line", "line", "changes",
      { "line-color": CHANGE.loss.line, "line-width": 1.6, "line-dasharray": [2, 1.5] }),
    drawn("change-points", "circle", "change_points", {
      "circle-color": ["match", ["get", "kind"], "gain", CHANGE.gain.fill, CHANGE.loss.fill], "circle-opacity": 0.85,
      "circle-stroke-color": ["match", ["get", "kind"], "gain", CHANGE.gain.line, CHANGE.loss.line],
      "circle-stroke-width": 1, "circle-radius": RADIUS,
    }),
    drawn("points", "circle", "points", {
      "circle-color": first, "circle-opacity": 0.85, "circle-stroke-color": INK, "circle-stroke-width": 1,
      "circle-radius": RADIUS,
    }),
    {
      id: "selected", type: "line", source: "selected", filter: ["==", ["geometry-type"], "Polygon"],
      paint: { "line-color": "#b3005e", "line-width": 2.5 },
    },
    {
      id: "selected-dot", type: "circle", source: "selected", maxzoom: WINDOWS_FROM,
      filter: ["==", ["geometry-type"], "Point"],
      paint: {
        "circle-radius": 11, "circle-color": "#b3005e", "circle-opacity": 0,
        "circle-stroke-color": "#b3005e", "circle-stroke-width": 2.5,
      },
    },
    drawn("selected-outline", "line", "polygons", { "line-color": "#b3005e", "line-width": 3 }),
  ];
}

/** Has the windows of sites read once the map is near enough to show them. */
export function loadWindows(map) {
  const look = () => {
    if (map.getZoom() < WINDOWS_FROM) return;
    map.off("zoom", look);
    map.getSource("windows").setData(file("windows"));
  };
  map.on("zoom", look);
  look();
}

/** Marks a site, or none for null. */
export function markSite(map, site) {
  const feature = (type, coordinates) => ({ type: "Feature", properties: {}, geometry: { type, coordinates } });
  const features = site ? [feature("Point", site.at)] : [];
  if (site?.corners) features.push(feature("Polygon", [[...site.corners, site.corners[0]]]));
  map.getSource("selected").setData({ type: "FeatureCollection", features });
}

/** Shows a year on a map: in colours of the first year, or of what changed since the year before. */
export function showYear(map, { year, mode, imagery, polygon }) {
  const ofYear = ["==", ["get", "year"], year];
  const change = (kind) => ["all", ofYear, ["==", ["get", "kind"], kind]];
  const final = ["!=", ["get", "status"], "provisional"];
  const first = mode === "first";
  const shown = {
    mines: first && !imagery, stable: !first && !imagery, gain: !first, loss: !first,
    "gain-line": !first, "loss-line": !first, "mines-casing": imagery, points: first, "change-points": !first,
    "mines-line": true, "mines-provisional": true,
  };
  const filters = {
    mines: ofYear, stable: ofYear, gain: change("gain"), loss: change("loss"), "mines-casing": ofYear,
    "mines-line": ["all", ofYear, final], "mines-provisional": ["all", ofYear, ["!", final]],
    "gain-line": change("gain"), "loss-line": change("loss"), points: ofYear, "change-points": ofYear,
    unseen: ["==", ["get", `s${year}`], 0], "unseen-dot": ["==", ["get", `s${year}`], 0],
    "selected-outline": ["==", ["get", "id"], polygon ?? ""],
  };
  for (const [layer, filter] of Object.entries(filters)) map.setFilter(layer, filter);
  for (const [layer, on] of Object.entries(shown)) map.setLayoutProperty(layer, "visibility", on ? "visible" : "none");
  const opacity = imagery ? 0.35 : 0.8;
  for (const kind of ["gain", "loss"]) map.setPaintProperty(kind, "fill-opacity", opacity);
  const colour = imagery && first ? firstYearExpression(map.minemapYears) : INK;
  for (const layer of ["mines-line", "mines-provisional"]) map.setPaintProperty(layer, "line-color", colour);
}

/** Stripes for ground that was not observed. */
export function stripes() {
  const side = 12;
  const data = new Uint8ClampedArray(side * side * 4);
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const dark = (row + column) % side < 2;
      data.set(dark ? [75, 85, 99, 220] : [255, 255, 255, 110], (row * side + column) * 4);
    }
  }
  return { width: side, height: side, data };
}
