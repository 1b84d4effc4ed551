// The image of a site with what is drawn on it, in pixels of the image; zoomed by its view box, drawn by pointer or keys.

import { byId, drawn } from "./dom.js";

const CORNER = 7;
const CROSS = 14;
const GRAB = 14;

export class Canvas {
  constructor(changed) {
    this.changed = changed;
    this.frame = byId("canvas");
    this.svg = drawn("svg", {});
    this.frame.replaceChildren(this.svg);
    this.frame.addEventListener("pointerdown", (event) => { if (this.site) this.press(event); });
    this.frame.addEventListener("pointermove", (event) => this.drag(event));
    this.frame.addEventListener("pointerup", (event) => this.release(event));
    this.frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (this.site) this.zoom(event.deltaY < 0 ? 1.25 : 0.8, this.at(event));
    }, { passive: false });
  }

  open(site, draft, address) {
    this.site = site;
    this.draft = draft;
    this.view = { x: 0, y: 0, size: Math.max(site.width, site.height) };
    this.cursor = [site.width / 2, site.height / 2];
    this.look(address);
  }

  look(address) {
    this.address = address;
    this.draw();
  }

  at(event) {
    const box = this.frame.getBoundingClientRect();
    const scale = this.view.size / box.width;
    return this.inside([this.view.x + (event.clientX - box.left) * scale, this.view.y + (event.clientY - box.top) * scale]);
  }

  inside([x, y]) {
    const keep = (value, most) => Math.round(100 * Math.min(most, Math.max(0, value))) / 100;
    return [keep(x, this.site.width), keep(y, this.site.height)];
  }

  get unit() {
    // Pixels of the image in one pixel of the screen.
    return this.view.size / this.frame.getBoundingClientRect().width;
  }

  press(event) {
    if (event.button !== 0) return;
    this.frame.setPointerCapture(event.pointerId);
    const place = this.nearest(this.at(event));
    this.pressed = { from: this.at(event), x: event.clientX, y: event.clientY, place, view: { ...this.view }, moved: false };
  }

  drag(event) {
    if (!this.pressed) return;
    const { pressed } = this;
    if (!pressed.moved && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < 4) return;
    if (!pressed.moved && pressed.place >= 0) this.draft.begin();
    pressed.moved = true;
    if (pressed.place >= 0) this.draft.move(pressed.place, this.at(event));
    else {
      const unit = this.unit;
      this.show(pressed.view.x - (event.clientX - pressed.x) * unit, pressed.view.y - (event.clientY - pressed.y) * unit);
    }
    this.draw();
  }

  release(event) {
    const { pressed } = this;
    this.pressed = null;
    if (!pressed) return;
    if (!pressed.moved) this.click(this.at(event), pressed.place);
    this.changed();
  }

  click(corner, place) {
    this.cursor = corner;
    if (this.draft.closed) {
      if (place >= 0) this.draw(place);
      else this.draw(this.draft.insert(corner));
    } else if (place === 0 && this.draft.close()) this.draw();
    else {
      this.draft.add(corner);
      this.draw();
    }
    this.frame.focus({ preventScroll: true });
  }

  nearest(corner) {
    const far = this.draft.corners.map(([x, y]) => Math.hypot(x - corner[0], y - corner[1]) / this.unit);
    const place = far.indexOf(Math.min(...far));
    return place >= 0 && far[place] <= GRAB ? place : -1;
  }

  key(event) {
    // Arrow keys move the corner that is chosen, else the cross.
    const step = (event.shiftKey ? 10 : 1) * Math.max(1, this.unit * 2);
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const by = moves[event.key];
    const place = Number(document.activeElement?.dataset?.place ?? -1);
    if (by) {
      const [x, y] = place >= 0 ? this.draft.corners[place] : this.cursor;
      const to = this.inside([x + by[0], y + by[1]]);
      if (place >= 0) {
        this.draft.begin();
        this.draft.move(place, to);
      } else this.cursor = to;
      this.follow(to);
    } else if (event.key === " ") this.draft.add([...this.cursor]);
    else if (event.key === "Delete" && place >= 0) this.draft.remove(place);
    else return false;
    this.draw(by && place >= 0 ? place : -1);
    this.changed();
    return true;
  }

  zoom(factor, [x, y] = this.cursor) {
    const whole = Math.max(this.site.width, this.site.height);
    const size = Math.min(whole, Math.max(whole / 16, this.view.size / factor));
    const share = size / this.view.size;
    this.view.size = size;
    this.show(x - (x - this.view.x) * share, y - (y - this.view.y) * share);
    this.draw();
  }

  follow([x, y]) {
    const { size } = this.view;
    const keep = (start, value) => Math.min(value - size * 0.05, Math.max(value - size * 0.95, start));
    this.show(keep(this.view.x, x), keep(this.view.y, y));
  }

  show(x, y) {
    const whole = Math.max(this.site.width, this.site.height);
    const keep = (value) => Math.min(whole - this.view.size, Math.max(0, value));
    Object.assign(this.view, { x: keep(x), y: keep(y) });
  }

  draw(chosen = -1) {
    const { view, site, draft } = this;
    this.svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.size} ${view.size}`);
    const path = (ring) => `${ring.map(([x, y], place) => `${place ? "L" : "M"}${x} ${y}`).join("")}Z`;
    const image = drawn("image", { href: this.address, width: site.width, height: site.height, preserveAspectRatio: "none" });
    const lines = [
      ...site.known.map((ring) => drawn("path", { d: path(ring), class: "known" })),
      ...site.shown.map((one) => drawn("path", { d: path(one.ring), class: one.id ? "stored" : "waiting" })),
      drawn("path", { d: draft.path, class: "shadow" }),
      drawn("path", { d: draft.path, class: draft.closed ? "draft closed" : "draft" }),
    ];
    this.svg.replaceChildren(image, ...lines, ...this.corners(), ...this.cross());
    if (chosen >= 0) this.svg.querySelector(`[data-place="${chosen}"]`)?.focus({ preventScroll: true });
  }

  corners() {
    const radius = CORNER * this.unit;
    return this.draft.corners.map(([x, y], place) => drawn("circle", {
      cx: x, cy: y, r: radius, class: "corner", "data-place": place, tabindex: this.draft.closed ? 0 : -1,
      role: "button", "aria-label": `Corner ${place + 1} of ${this.draft.corners.length}`,
    }));
  }

  cross() {
    if (this.draft.closed) return [];
    const arm = CROSS * this.unit;
    const [x, y] = this.cursor;
    const d = `M${x - arm} ${y}h${2 * arm}M${x} ${y - arm}v${2 * arm}`;
    return [drawn("path", { d, class: "cursor-under" }), drawn("path", { d, class: "cursor" })];
  }
}
