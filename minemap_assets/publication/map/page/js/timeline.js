// The years: a slider, and a button that walks through them.

import { byId, el } from "./dom.js";
import { NOT_OBSERVED, statusWord } from "./format.js";

const PAUSE = 1300; // milliseconds a year

/** Joins the slider to the store. */
export function makeTimeline(store, told) {
  const { years } = told;
  const provisional = new Set(told.provisional);
  const status = (year) => (told.unseen.includes(year) ? NOT_OBSERVED : statusWord(provisional.has(year)));
  const [slider, play] = [byId("year"), byId("play")];
  let timer = null;
  slider.min = 0;
  slider.max = years.length - 1;
  byId("ticks").append(...years.map((year) => el("span", { class: provisional.has(year) ? "provisional" : null }, year)));

  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  const next = () => {
    const place = years.indexOf(store.get().year);
    if (place === years.length - 1) stop();
    else store.set({ year: years[place + 1], polygon: null });
  };
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (store.get().year === years.at(-1)) store.set({ year: years[0], polygon: null });
    timer = setInterval(next, PAUSE);
    play.textContent = "Pause";
    return play.setAttribute("aria-pressed", "true");
  });
  slider.addEventListener("input", () => {
    stop();
    store.set({ year: years[Number(slider.value)], polygon: null });
  });
  store.listen((state, changed) => {
    if (!changed.has("year")) return;
    const words = `${state.year}, ${status(state.year)}`;
    slider.value = years.indexOf(state.year);
    slider.setAttribute("aria-valuetext", words);
    byId("year-told").replaceChildren(
      el("strong", {}, state.year), " ",
      el("span", { class: status(state.year) === "final" ? null : "mark" }, status(state.year)));
    byId("announce").textContent = words;
    [...byId("ticks").children].forEach((tick, place) => {
      tick.classList.toggle("now", years[place] === state.year);
    });
  });
  return { stop };
}
