// One person outlines mines on the image of a place; what is saved is ground truth as soon as the server has it.

import { Canvas } from "./canvas.js";
import { byId, element } from "./dom.js";
import { Draft } from "./draft.js";
import { Outbox } from "./outbox.js";

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
  ["B", "Brighter image, and back"],
  ["N and P", "Next site, and the one before"],
  ["?", "This list"],
];

const SAVE = "api/outlines";
const REMOVE = "api/outlines/remove";

let state, site, draft, canvas, year, outbox;
let taken = 0; // how often the server has said that it stored something
let refused = []; // what the server did not take, until it is drawn anew or thrown away

async function asked(path) {
  const answer = await fetch(path);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error ?? `the server answered ${answer.status}`);
  return told;
}

async function begin() {
  state = await asked("api/state");
  byId("who").textContent = `by ${state.author}`;
  canvas = new Canvas(tell);
  outbox = new Outbox(`outline:${state.box}:${state.author}`, heard);
  await outbox.begin();
  byId("kind").textContent = state.kind === "scan" ? "Detection" : "Site";
  byId("go").hidden = state.kind !== "scan";
  byId("there").onclick = go;
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
  window.onbeforeunload = (event) => { if (draft?.corners.length || refused.length) event.preventDefault(); };
  window.onresize = () => { if (site) canvas.draw(); };
  if (state.places.length) await open(0);
  else trouble("The scan found nothing in the year to outline; go to a place by its coordinates.");
  byId("canvas").focus({ preventScroll: true });
  if (!state.writable) trouble("This page can only be read: open the address that minemap label printed, with its token.");
}

function choices() {
  const { value } = byId("site");
  byId("site").replaceChildren(...state.places.map((one, place) => {
    const has = one.outlines ? `${one.outlines} outlined here` : one.labelled ? "has ground truth" : "no ground truth yet";
    const sure = one.score === null ? "" : `score ${one.score.toFixed(2)}, `;
    return element("option", { value: place }, `${named(one)}: ${sure}${has}`);
  }));
  if (value) byId("site").value = value;
}

const named = ({ region, site: name }) => {
  const plain = name.startsWith(region) || state.places.every((one) => one.region === region);
  return plain ? name : `${region} ${name}`;
};
const same = (one, other) => one.region === other.region && one.site === other.site;
const numberOf = (one) => state.places.findIndex((other) => same(one, other));
const choose = (one) => { byId("site").value = numberOf(one); };

async function open(number) {
  if (!state.places[number]) return;
  if (draft?.corners.length && !window.confirm("The outline is not saved. Throw it away?")) {
    choose(site);
    return;
  }
  choose(state.places[number]);
  try {
    site = await ground(state.places[number]);
  } catch (error) {
    if (site) choose(site);
    trouble(`This place did not come (${error.message}); choose it again.`);
    return;
  }
  choose(site);
  trouble("");
  year = site.year;
  byId("years").replaceChildren(...site.years.map((one) => element("button", { type: "button", onclick: () => look(one) }, one)));
  anew();
  canvas.open(site, draft, address());
  byId("advice").textContent = `Outline every mine that the image of ${site.year} shows: the model learns that the rest is none.`;
  show();
}

async function ground({ region, site: name }) {
  // Read anew where something was stored meanwhile: the answer may be from before.
  let before, told;
  do {
    before = taken;
    told = await asked(`api/sites/${region}/${name}`);
  } while (before !== taken);
  return { region, site: name, shown: [], ...told };
}

function anew() {
  draft = new Draft();
  byId("note").value = "";
  if (canvas.site) canvas.draft = draft;
}

async function go() {
  const words = byId("coordinates").value.trim().split(/[\s,;]+/);
  try {
    const { places: [found] } = await asked(`api/place?${new URLSearchParams({ longitude: words[0] ?? "", latitude: words[1] ?? "" })}`);
    if (numberOf(found) < 0) state.places.push(found);
    choices();
    await open(numberOf(found));
    byId("canvas").focus({ preventScroll: true });
  } catch (error) {
    trouble(error.message);
  }
}

const address = () => `images/${site.region}/${site.site}/${year}.webp`;

function look(one) {
  year = one;
  canvas.look(address());
  tell();
}

const here = ({ body }) => same(body, site);

function waiting() {
  // What is stored here once all that waits is sent: an outline without an id is still on its way.
  let shown = [...site.outlines];
  for (const { path, body } of outbox.waiting.filter(here)) {
    const other = (one) => (body.id ? one.id !== body.id : String(one.ring) !== String(body.ring));
    shown = shown.filter(other);
    if (path === SAVE) shown.push({ ring: body.ring, note: body.note, author: state.author, date: "not saved yet" });
  }
  return shown;
}

function show() {
  site.shown = waiting();
  const lost = refused.filter(here).map((one) => element(
    "li", {},
    element("span", { className: "wrong" }, `Not stored: ${one.why}`),
    element("button", { type: "button", onclick: () => back(one) }, "Draw on"),
    element("button", { type: "button", onclick: () => forget(one) }, "Throw away"),
  ));
  byId("outlines").replaceChildren(...lost, ...site.shown.map((one) => element(
    "li", {},
    element("span", {}, `${one.author}, ${one.date}${one.note ? `: ${one.note}` : ""}`),
    element("button", { type: "button", disabled: !state.writable, onclick: () => remove(one) }, "Remove"),
  )));
  if (!byId("outlines").children.length) byId("outlines").append(element("li", {}, "Nothing yet."));
  canvas.draw();
  tell();
}

function tell() {
  if (!site) return;
  const size = (draft.squareMetres(site.metres) / 10_000).toFixed(2);
  const count = draft.corners.length;
  const use = year === site.year ? "the year to outline" : `for comparison; outline what ${site.year} shows`;
  byId("shown").textContent = `${named(site)}, ${year}: ${use}`;
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

function save() {
  if (!draft.closed || !state.writable) return;
  outbox.add(SAVE, { ...drawnHere(draft.corners), note: byId("note").value });
  anew();
  show();
  byId("canvas").focus({ preventScroll: true });
}

const drawnHere = (ring) => ({ region: site.region, site: site.site, width: site.width, height: site.height, ring });

function remove(one) {
  outbox.add(REMOVE, one.id ? { region: site.region, site: site.site, id: one.id } : drawnHere(one.ring));
  show();
  byId("canvas").focus({ preventScroll: true });
}

function back(one) {
  // What was refused is drawn on where it was.
  if (draft.corners.length) {
    trouble("Save or discard what is drawn first.");
    return;
  }
  forget(one);
  draft.corners = one.body.ring;
  draft.closed = true;
  byId("note").value = one.body.note;
  canvas.draw();
  tell();
}

function forget(one) {
  refused = refused.filter((other) => other !== one);
  show();
}

async function heard(kind, sentence, count, sent) {
  // The outbox tells how far it is.
  const changes = `${count} ${count === 1 ? "change is" : "changes are"} kept here`;
  if (kind === "saving") said(kind, "Saving");
  if (kind === "failing") said(kind, `Not saved, retrying: ${sentence}; ${changes}`);
  if (kind === "refused") {
    said("", "");
    const one = { ...sent, why: sentence };
    if (sent.path === SAVE) refused.push(one);
    trouble(`Not stored at ${named(sent.body)}: ${sentence}.`);
    if (site && sent.path === SAVE && here(one) && !draft.corners.length) back(one);
  }
  if (kind === "stored") {
    taken += 1;
    trouble("");
    said("saved", sent.path === SAVE ? "Saved as ground truth" : "Removed");
  }
  if (kind === "stored" || kind === "refused") await refresh();
}

async function refresh() {
  // What is stored now; the outline that is being drawn stays as it is.
  const shown = site;
  try {
    const told = await asked("api/state");
    const added = state.places.filter((one) => !told.places.some((other) => same(one, other)));
    state = { ...told, places: [...told.places, ...added] };
    choices();
    if (!shown) return;
    const { outlines, known } = await ground(shown);
    Object.assign(shown, { outlines, known });
    if (shown === site) show();
  } catch (error) {
    trouble(`What is stored could not be read (${error.message}); reload the page.`);
  }
}

function press(event) {
  const note = byId("note");
  if (event.target === note || event.target === byId("coordinates")) {
    if (event.key === "Escape") byId("canvas").focus({ preventScroll: true });
    if (event.key === "Enter" && event.target !== note) go();
    return;
  }
  if (document.querySelector("dialog[open]") || event.metaKey || event.altKey) return;
  if (event.ctrlKey && event.key.toLowerCase() !== "z") return;
  const control = event.target.closest("button, select, option");
  if (control && (["Enter", " "].includes(event.key) || control.matches("select"))) return;
  if (site && canvas.frame.contains(document.activeElement) && canvas.key(event)) {
    event.preventDefault();
    return;
  }
  const acts = {
    Enter: close, Backspace: undo, z: undo, Escape: discard, s: save, t: () => note.focus(),
    "+": () => canvas.zoom(1.5), "=": () => canvas.zoom(1.5), "-": () => canvas.zoom(1 / 1.5),
    "[": () => step(-1), "]": () => step(1), n: () => open(numberOf(site) + 1),
    p: () => open(numberOf(site) - 1), "?": () => byId("keys").showModal(), b: () => document.body.classList.toggle("bright"),
  };
  if (!site && event.key !== "?") return;
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
