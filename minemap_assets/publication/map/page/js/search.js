// Finding places by name or coordinates: a text field with a list below it, as the ARIA pattern of a combobox has it.

import { byId, el } from "./dom.js";

const MOST = 9;

/** Names without accents and case, so that Tucurui finds Tucuruí. */
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** Joins the field to what `entries` says can be found, asked once it is wanted; `choose` is called with an entry. */
export function makeSearch(entries, choose) {
  const [field, list] = [byId("search"), byId("found")];
  let known = null;
  let found = [];
  let place = -1;

  const close = () => {
    list.hidden = true;
    found = [];
    place = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const take = (entry) => {
    close();
    field.value = "";
    choose(entry);
  };
  const mark = (to) => {
    place = (to + found.length) % found.length;
    [...list.children].forEach((node, n) => node.setAttribute("aria-selected", String(n === place)));
    field.setAttribute("aria-activedescendant", `found-${place}`);
    list.children[place].scrollIntoView({ block: "nearest" });
  };
  const look = () => {
    const asked = plain(field.value.trim());
    if (!asked) return close();
    const spot = coordinates(field.value);
    known ??= entries().map((entry) => ({ entry, text: plain(`${entry.name} ${entry.more ?? ""}`) }));
    found = spot ? [spot] : ranked(known, asked).slice(0, MOST);
    place = -1;
    list.replaceChildren(...(found.length ? found.map(option) : [el("li", { class: "none" }, "Nothing found")]));
    list.hidden = false;
    return field.setAttribute("aria-expanded", "true");
  };
  const option = (entry, n) => el("li", {
    role: "option", id: `found-${n}`, "aria-selected": "false",
    onpointerdown: (event) => { event.preventDefault(); take(entry); },
  }, el("span", {}, entry.name), el("small", {}, entry.kind));

  field.addEventListener("input", look);
  field.addEventListener("focus", look);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (field.value || !list.hidden)) {
      close();
      field.value = "";
      event.preventDefault();
      return;
    }
    if (!found.length) return;
    if (event.key === "ArrowDown") mark(place + 1);
    else if (event.key === "ArrowUp") mark(place < 0 ? found.length - 1 : place - 1);
    else if (event.key === "Enter") take(found[Math.max(place, 0)]);
    else return;
    event.preventDefault();
  });
}

function ranked(known, asked) {
  const scored = [];
  for (const { entry, text } of known) {
    const at = text.indexOf(asked);
    if (at < 0) continue;
    scored.push({ entry, score: (at === 0 ? 0 : text[at - 1] === " " ? 1 : 2) * 10 + entry.weight });
  }
  return scored.sort((a, b) => a.score - b.score).map(({ entry }) => entry);
}

/** `1.49, -0.01`: latitude and longitude; null for anything else. */
export function coordinates(text) {
  const parts = /^\s*(-?\d+(?:\.\d+)?)\s*[,;\s]\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text);
  if (!parts) return null;
  const [lat, lng] = [Number(parts[1]), Number(parts[2])];
  if (Math.abs(lat) > 85 || Math.abs(lng) > 180) return null;
  return { kind: "coordinates", name: `latitude ${lat}, longitude ${lng}`, at: [lng, lat] };
}
