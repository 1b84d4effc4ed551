// Two years side by side on the same ground: the earlier one left of a bar that is moved by hand or with the keys.

import { byId, el } from "./dom.js";
import { draw, makeMap } from "./map.js";

const STEP = 2; // per cent a key press

/** Shows and hides the comparison; the second map is made when it is first wanted. */
export class Swipe {
  constructor(map, world) {
    this.map = map;
    this.world = world;
    this.before = null;
    this.place = 50;
    this.left = el("span", { class: "swipe-year left" });
    this.right = el("span", { class: "swipe-year right" });
    this.bar = el("div", {
      class: "bar", role: "slider", tabindex: "0", "aria-label": "Border between the two years",
      "aria-valuemin": "0", "aria-valuemax": "100", onkeydown: (event) => this.key(event),
      onpointerdown: (event) => this.grab(event), onpointermove: (event) => this.drag(event),
    }, el("span", { class: "grip", "aria-hidden": "true" }, "◂ ▸"), this.left, this.right);
    byId("swipe").append(this.bar);
  }

  async show(state) {
    const on = state.before !== null;
    byId("swipe").hidden = !on;
    byId("before").hidden = !on;
    if (!on) return;
    this.left.textContent = state.before;
    this.right.textContent = state.year;
    this.wanted = { ...state, year: state.before, imagery: state.imagery };
    if (!this.before) {
      this.before = makeMap("before", this.world, this.camera(), false);
      this.map.on("move", async () => (await this.before).jumpTo(this.camera()));
    }
    this.move(this.place);
    const before = await this.before;
    before.resize();
    before.jumpTo(this.camera());
    draw(before, this.wanted);
  }

  camera() {
    const { lng, lat } = this.map.getCenter();
    return { center: [lng, lat], zoom: this.map.getZoom() };
  }

  move(place) {
    this.place = Math.min(100, Math.max(0, place));
    byId("before").style.clipPath = `inset(0 ${100 - this.place}% 0 0)`;
    this.bar.style.left = `${this.place}%`;
    this.bar.setAttribute("aria-valuenow", Math.round(this.place));
    const [left, right] = [this.left.textContent, this.right.textContent];
    this.bar.setAttribute("aria-valuetext", `${Math.round(this.place)} % shows ${left}, the rest ${right}`);
  }

  key(event) {
    const by = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -10, PageUp: 10 };
    const to = { Home: 0, End: 100 }[event.key] ?? (by[event.key] ? this.place + by[event.key] : null);
    if (to === null) return;
    event.preventDefault();
    this.move(to);
  }

  grab(event) {
    this.bar.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.bar.focus();
  }

  drag(event) {
    if (!this.bar.hasPointerCapture(event.pointerId)) return;
    const { left, width } = byId("swipe").getBoundingClientRect();
    this.move((100 * (event.clientX - left)) / width);
  }
}
