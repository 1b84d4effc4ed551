// A series as a small chart: years that were not observed are gaps, and provisional ones are hollow.

import { svg } from "./dom.js";
import { NOT_OBSERVED, km2 } from "./format.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [320, 150, 44, 22, 12, 20];

/** A chart of `points` {year, km2, provisional, low, high}; `now` is the year that is shown on the map. */
export function chart(points, now, label) {
  const top = ceiling(Math.max(0, ...points.flatMap(({ km2: value, high }) => [value ?? 0, high ?? 0])));
  const step = (WIDTH - LEFT - RIGHT) / Math.max(1, points.length - 1);
  const x = (place) => (points.length === 1 ? (LEFT + WIDTH - RIGHT) / 2 : LEFT + place * step);
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const words = points.map(({ year, km2: value, provisional }) =>
    `${year}: ${km2(value)}${provisional && value !== null ? " (provisional)" : ""}`).join("; ");
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": `${label}. ${words}` },
    points.map((point, place) => gap(point, x(place), step)),
    grid(top, y), now === null ? null : marker(points, now, x),
    line(points, x, y), points.map((point, place) => dot(point, x(place), y)),
    points.map(({ year }, place) => yearLabel(points, year, x(place), place)));
}

function grid(top, y) {
  return [0, top / 2, top].map((value) => [
    svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "grid" }),
    svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, Number(value.toPrecision(3)).toString()),
  ]);
}

function marker(points, now, x) {
  const place = points.findIndex(({ year }) => year === now);
  return place < 0 ? null : svg("line", { x1: x(place), x2: x(place), y1: TOP - 6, y2: HEIGHT - BOTTOM, class: "now" });
}

function gap({ km2: value }, at, step) {
  if (value !== null) return null;
  const half = Math.min(step, 40) / 2;
  const [from, to] = [Math.max(at - half, LEFT), Math.min(at + half, WIDTH - RIGHT)];
  return svg("g", {}, svg("title", {}, NOT_OBSERVED),
    svg("rect", { x: from, y: TOP, width: to - from, height: HEIGHT - TOP - BOTTOM, class: "gap" }),
    svg("text", { x: at, y: (HEIGHT - BOTTOM + TOP) / 2, "text-anchor": "middle", class: "gap-mark" }, "?"));
}

function line(points, x, y) {
  const parts = [];
  points.forEach(({ km2: value }, place) => {
    if (value === null) return;
    const joined = place > 0 && points[place - 1].km2 !== null;
    parts.push(`${joined ? "L" : "M"}${x(place).toFixed(1)},${y(value).toFixed(1)}`);
  });
  return svg("path", { d: parts.join(" "), class: "series" });
}

function dot({ km2: value, provisional, low, high }, at, y) {
  const whisker = low === undefined || low === null ? null : svg("path", {
    d: `M${at},${y(low)}V${y(high)}M${at - 4},${y(low)}h8M${at - 4},${y(high)}h8`, class: "whisker",
  });
  if (value === null) return whisker;
  return [whisker, svg("circle", { cx: at, cy: y(value), r: 4, class: provisional ? "dot hollow" : "dot" })];
}

function yearLabel(points, year, at, place) {
  const every = Math.ceil(points.length / 7);
  const left = points.length - 1 - place;
  if (left && (place % every || left < every)) return null;
  return svg("text", { x: at, y: HEIGHT - 6, "text-anchor": "middle" }, year);
}

/** A round number that is not below the largest value. */
function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value);
}
