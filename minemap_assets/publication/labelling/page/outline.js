// One person outlines mines on the image of a site; what is saved is ground truth at once.

import { Canvas } from "./canvas.js";
import { byId, element } from "./dom.js";
import { Draft } from "./draft.js";

const KEYS = [
  ["Click, or arrow keys and Space", "Set a corner"],
  ["Enter", "Close the outline; a click on its first corner does so too"],
  ["⌫ or Z", "Undo the last step"],
  ["Esc", "Throw the drawn outline away"],
  ["S", "Save the closed outline"],
  ["T", "Write a note; Esc leaves it"],
  ["+ and -", "Larger and smaller; the wheel does so too, and dragging moves the image"],
  ["Shift and an arrow key", "Ten times as far"],
  ["[ and ]", "Look at the year before, or after"],
  ["N and P", "Next site, and the one before"],
  ["?", "This list"],
];

let state, site, draft, canvas, year;

async function asked(path, options) {
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error ?? `the server answered ${answer.status}`);
  return told;
}

const post = (path, body) =>
  asked(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

async function begin() {
  state = await asked("api/state");
  byId("who").textContent = `by ${state.author}`;
  canvas = new Canvas(tell);
  choices();
  byId("site").onchange = () => open(Number(byId("site").value));
  byId("keys-list").append(...KEYS.flatMap(([key, words]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, words)]));
  byId("help").onclick = () => byId("keys").showModal();
  byId("close").onclick = () => byId("keys").close();
  byId("close-ring").onclick = close;
  byId("undo").onclick = undo;
  byId("discard").onclick = discard;
  byId("save").onclick = save;
  byId("larger").onclick = () => canvas.zoom(1.5);
  byId("smaller").onclick = () => canvas.zoom(1 / 1.5);
  document.addEventListener("keydown", press);
  window.onbeforeunload = (event) => { if (draft?.corners.length) event.preventDefault(); };
  window.onresize = () => canvas.draw();
  await open(0);
  byId("canvas").focus({ preventScroll: true });
  if (!state.writable) trouble("This page can only be read: open the address that minemap label printed, with its token.");
}

function choices() {
  const { value } = byId("site");
  byId("site").replaceChildren(...state.places.map((one, place) => {
    const has = one.outlines ? `${one.outlines} outlined here` : one.labelled ? "has ground truth" : "no ground truth yet";
    return element("option", { value: place }, `${one.region} ${one.site}: ${has}`);
  }));
  if (value) byId("site").value = value;
}

const place = () => state.places[Number(byId("site").value)];

async function open(number) {
  if (!state.places[number]) return;
  if (draft?.corners.length && !window.confirm("The outline is not saved. Throw it away?")) {
    byId("site").value = state.places.findIndex((one) => one.site === site.name);
    return;
  }
  byId("site").value = number;
  await load();
}

async function load(keeps = false) {
  const { region, site: name } = place();
  const before = canvas.view;
  site = { name, ...(await asked(`api/sites/${region}/${name}`)) };
  draft = new Draft();
  year = keeps ? year : site.year;
  byId("note").value = "";
  byId("years").replaceChildren(...site.years.map((one) => element("button", { type: "button", onclick: () => look(one) }, one)));
  canvas.open(site, draft, address());
  if (keeps) Object.assign(canvas.view, before);
  canvas.draw();
  byId("advice").textContent = `Outline every mine that the image of ${site.year} shows: the model learns that the rest is none.`;
  stored();
  tell();
}

const address = () => `images/${place().region}/${place().site}/${year}.webp`;

function look(one) {
  year = one;
  canvas.look(address());
  tell();
}

function stored() {
  byId("outlines").replaceChildren(...site.outlines.map((one) => element(
    "li", {},
    element("span", {}, `${one.author}, ${one.date}${one.note ? `: ${one.note}` : ""}`),
    element("button", { type: "button", onclick: () => remove(one.id) }, "Remove"),
  )));
  if (!site.outlines.length) byId("outlines").append(element("li", {}, "Nothing yet."));
}

function tell() {
  const size = (draft.squareMetres(site.metres) / 10_000).toFixed(2);
  const count = draft.corners.length;
  byId("shown").textContent = `${place().region} ${site.name}, ${year}${year === site.year ? ": the year to outline" : ": for comparison"}`;
  byId("state").textContent = draft.closed
    ? `Closed: ${count} corners, ${size} ha. Save it, or move its corners.`
    : count ? `${count} ${count === 1 ? "corner" : "corners"} set.` : "Nothing is drawn.";
  byId("close-ring").disabled = draft.closed || count < 3;
  byId("undo").disabled = draft.steps.length === 0;
  byId("discard").disabled = count === 0;
  byId("save").disabled = !draft.closed || !state.writable;
  for (const button of byId("years").children) button.setAttribute("aria-pressed", String(button.textContent === String(year)));
}

function close() {
  if (!draft.close()) trouble(draft.closed ? "" : "An outline needs three corners or more.");
  else trouble("");
  canvas.draw();
  tell();
}

function undo() {
  draft.undo();
  canvas.draw();
  tell();
}

function discard() {
  if (draft.corners.length) draft.change(() => { draft.corners = []; draft.closed = false; });
  canvas.draw();
  tell();
}

async function save() {
  if (!draft.closed) return;
  said("saving", "Saving");
  const { region, site: name } = place();
  try {
    await post("api/outlines", { region, site: name, ring: draft.corners, note: byId("note").value });
  } catch (error) {
    said("failing", "Not saved");
    trouble(`Not saved: ${error.message}. The outline stays here; save it again.`);
    return;
  }
  await changed("Saved as ground truth");
}

async function remove(id) {
  try {
    await post("api/outlines/remove", { id });
  } catch (error) {
    trouble(`Not removed: ${error.message}`);
    return;
  }
  await changed("Removed");
}

async function changed(words) {
  trouble("");
  state = await asked("api/state");
  await load(true);
  choices();
  said("saved", words);
  byId("canvas").focus({ preventScroll: true });
}

function press(event) {
  const note = byId("note");
  if (event.target === note) {
    if (event.key === "Escape") byId("canvas").focus({ preventScroll: true });
    return;
  }
  if (document.querySelector("dialog[open]") || event.metaKey || event.altKey) return;
  if (event.ctrlKey && event.key.toLowerCase() !== "z") return;
  const control = event.target.closest("button, select, option");
  if (control && (["Enter", " "].includes(event.key) || control.matches("select"))) return;
  if (canvas.frame.contains(document.activeElement) && canvas.key(event)) {
    event.preventDefault();
    return;
  }
  const acts = {
    Enter: close, Backspace: undo, z: undo, Escape: discard, s: save, t: () => note.focus(),
    "+": () => canvas.zoom(1.5), "=": () => canvas.zoom(1.5), "-": () => canvas.zoom(1 / 1.5),
    "[": () => step(-1), "]": () => step(1), n: () => open(Number(byId("site").value) + 1),
    p: () => open(Number(byId("site").value) - 1), "?": () => byId("keys").showModal(),
  };
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function step(by) {
  const next = site.years[site.years.indexOf(year) + by];
  if (next !== undefined) look(next);
}

function trouble(sentence) {
  byId("trouble").textContent = sentence;
  byId("trouble").className = "wrong";
  byId("trouble").hidden = sentence === "";
}

function said(kind, words) {
  byId("saved").textContent = words;
  byId("saved").className = kind;
}

begin().catch((error) => trouble(error.message));
