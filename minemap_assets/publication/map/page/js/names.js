// Names on the map, as elements of the page: no font has to be asked for. Few at a time, the largest places first.

import { byId, el } from "./dom.js";

const MOST = 28;
const [WIDE, HIGH] = [120, 26]; // room that a name needs, in pixels

/** Keeps names over the map; candidates are `{name, at, kind, rank, from}` with the zoom they are shown from. */
export class Names {
  constructor(map, candidates) {
    this.map = map;
    this.candidates = [...candidates].sort((a, b) => a.rank - b.rank);
    this.shown = [];
    map.on("move", () => this.follow());
    map.on("moveend", () => this.choose());
    this.choose();
  }

  choose() {
    const [bounds, zoom] = [this.map.getBounds(), this.map.getZoom()];
    const taken = [];
    this.shown = [];
    for (const one of this.candidates) {
      if (this.shown.length === MOST) break;
      if (zoom < one.from || zoom > (one.to ?? 30) || !bounds.contains(one.at)) continue;
      const { x, y } = this.map.project(one.at);
      if (taken.some((other) => Math.abs(other.x - x) < WIDE && Math.abs(other.y - y) < HIGH)) continue;
      taken.push({ x, y });
      this.shown.push({ at: one.at, node: el("span", { class: `name ${one.kind}` }, one.name) });
    }
    byId("names").replaceChildren(...this.shown.map(({ node }) => node));
    this.follow();
  }

  follow() {
    for (const { at, node } of this.shown) {
      const { x, y } = this.map.project(at);
      node.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(-50%, -50%)`;
    }
  }
}

/** What may be named: countries from afar, towns by their size, regions in between. */
export function candidates({ places, told }) {
  const countries = told.borders.map(({ name, at, rank }) => (
    { name, at, kind: "country", rank, from: rank < 40 ? 2 : 4, to: 12 }));
  const regions = told.regions.filter(({ box }) => box).map(({ title, box }, place) => (
    { name: title, at: [(box[0] + box[2]) / 2, box[3]], kind: "region", rank: 500 + place, from: 5 }));
  const towns = places.places.map(({ name, at, people }, place) => (
    { name, at, kind: "town", rank: 1000 + place, from: people > 3e6 ? 4 : people > 3e5 ? 6 : people > 3e4 ? 8 : 10 }));
  return [...countries, ...regions, ...towns];
}
