// The pictures of a point: one year large at two scales, and every year beside each other.

import { byId, drawn, element } from "./dom.js";

const LOADED = new Map();
const KEPT = 12;
const CELL = 116;

export function load(number) {
  if (!LOADED.has(number)) {
    const asked = fetch(`api/pictures/${number}`).then(async (answer) => {
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.error ?? `the server answered ${answer.status}`);
      return told.years;
    });
    asked.catch(() => LOADED.delete(number));
    LOADED.set(number, asked);
    if (LOADED.size > KEPT) LOADED.delete(LOADED.keys().next().value);
  }
  return LOADED.get(number);
}

export async function ahead(number) {
  // The next point is there before it is asked for.
  const years = await load(number).catch(() => []);
  for (const one of years.filter((year) => year.address)) {
    for (const scale of ["wide", "near"]) new Image().src = `${one.address}/${scale}.webp`;
  }
}

export function show(years, { asked, looked, all, scales, choose }) {
  const focus = years.find((one) => one.year === looked) ?? { year: looked, address: "", reason: "no image" };
  const says = asked === looked ? `${looked}: the year that is asked` : `${looked}: for comparison`;
  const other = all.length === 2 && years.find((one) => all.includes(one.year) && one.year !== looked);
  byId("focus").replaceChildren(
    element("h2", { className: "minor" }, says),
    element("div", { className: "large" }, figure(focus, "wide", scales), figure(focus, "near", scales),
      ...(other ? [figure(other, "near", scales, "other")] : [])),
  );
  byId("strip").replaceChildren(...years.map((one) => cell(one, { asked, looked, all, scales, choose })));
  fit(years.length);
}

function fit(count) {
  // All years are in view at once: the large pictures take what their rows leave. On a phone the row scrolls instead.
  const strip = byId("strip");
  const beside = Math.max(1, Math.floor((strip.clientWidth + 8) / (CELL + 8)));
  document.documentElement.style.setProperty("--rows", Math.ceil(count / beside));
  const shown = strip.querySelector("[aria-pressed=true]");
  if (shown) strip.scrollLeft = shown.offsetLeft - strip.offsetLeft - (strip.clientWidth - shown.clientWidth) / 2;
}

function cell(one, { asked, looked, all, scales, choose }) {
  const words = [String(one.year)];
  if (one.year === asked) words.push("now");
  else if (all.includes(one.year)) words.push("asked");
  const button = element(
    "button",
    { type: "button", className: one.year === asked ? "year asked" : "year", onclick: () => choose(one.year) },
    picture(one, "wide", scales, ""),
    element("span", { className: "caption" }, words.join(" · ")),
  );
  button.setAttribute("aria-pressed", String(one.year === looked));
  return button;
}

function figure(one, scale, scales, kind = "") {
  const metres = scales[scale];
  const size = metres >= 1000 ? `${metres / 1000} km` : `${metres} m`;
  const caption = `${one.year}, ${size} across`;
  return element("figure", { className: kind }, picture(one, scale, scales, caption),
    element("figcaption", {}, caption));
}

function picture(one, scale, scales, words) {
  const frame = element("div", { className: "frame" });
  if (one.address) {
    frame.append(element("img", { src: `${one.address}/${scale}.webp`, alt: words, draggable: false }), cross(scale, scales));
    if (words && one.observed < 0.995 && scale === "wide") {
      const share = Math.round(100 * one.observed);
      frame.append(element("span", { className: "partly" }, `image of ${share} %`));
    }
  } else frame.append(element("p", { className: "nothing" }, one.reason || "no image"));
  return frame;
}

function cross(scale, scales) {
  // A cross with an open middle: the ground that is judged stays visible. Dark below light shows on any ground.
  const inner = scale === "wide" ? scales.patch || scales.near : 0;
  const shapes = (kind) => {
    const made = drawn("g", { class: kind });
    const [out, gap] = scale === "wide" ? [12, 4] : [16, 5];
    const arm = out - gap;
    const path = `M50 ${50 - out}v${arm}m0 ${2 * gap}v${arm}M${50 - out} 50h${arm}m${2 * gap} 0h${arm}`;
    if (!scales.patch) made.append(drawn("path", { d: path }));
    if (inner) {
      const side = (100 * inner) / scales.wide;
      const place = { x: 50 - side / 2, y: 50 - side / 2, width: side, height: side };
      made.append(drawn("rect", { ...place, class: scales.patch ? "patch" : "patch near" }));
    }
    return made;
  };
  return drawn("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, shapes("under"), shapes("over"));
}
