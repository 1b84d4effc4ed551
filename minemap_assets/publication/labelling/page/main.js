// One person labels points, one at a time: pictures, one key per answer, undo, progress. Nothing is asked of any host
// but the one that served this page.

import { byId, element } from "./dom.js";
import { KEYS, listen } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Pass } from "./pass.js";
import { ahead, load, show } from "./pictures.js";

const WORDS = { mine: "mine", "not mine": "not a mine", "cannot tell": "cannot tell" };
const ANSWERS = KEYS.slice(0, 3);
const NOTE_PAUSE = 500;
const AGAIN = 2000;
const READ_ONLY = "This page can only be read: open the address that minemap label printed, with its token.";

let state, pass, outbox, looked, writing;
let seen = -1; // the point whose pictures are on the screen: no other is answered

async function begin() {
  state = await asked("api/state");
  outbox = new Outbox(`${state.task}:${state.annotator}:${state.adjudicates}`, tell);
  const waiting = await outbox.begin();
  pass = new Pass(state);
  waiting.forEach((one) => pass.replay(one));
  pass.go(pass.firstOpen() ?? pass.place);
  byId("task").textContent = state.task;
  document.title = `Label ${state.task}`;
  byId("who").textContent = state.adjudicates ? `${state.annotator} decides where others differ` : `by ${state.annotator}`;
  controls();
  render();
}

async function asked(path) {
  const answer = await fetch(path);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

function act(does) {
  if (!state.writable && !["back", "next", "open", "earlier", "later", "bright", "help"].includes(does)) return;
  if (does in WORDS) give(does);
  else if (does === "rest") rest();
  else if (["high", "medium", "low"].includes(does)) sure(does);
  else if (does === "note") byId("note").focus();
  else if (does === "undo") undo();
  else if (does === "bright") document.body.classList.toggle("bright");
  else if (does === "help") byId("keys").showModal();
  else if (does === "earlier" || does === "later") look(does === "earlier" ? -1 : 1);
  else {
    const step = { back: pass.place - 1, next: pass.place + 1, open: pass.firstOpen(pass.place) ?? pass.place };
    storeNote();
    pass.go(step[does]);
    render();
  }
}

function give(answer) {
  if (seen !== pass.place) return;
  storeNote();
  const { point, year } = pass.give(answer);
  outbox.add("api/answers", { point_id: point, year, answer });
  render();
}

function rest() {
  const answer = pass.before;
  if (answer === undefined) {
    trouble("Answer the first year; then Enter says the same of the years that follow.");
    return;
  }
  const { id } = pass.point;
  while (pass.point.id === id && pass.turn > 0 && seen === pass.place) give(answer);
}

function undo() {
  const last = pass.undo();
  if (last) outbox.add("api/answers", { point_id: last.point, year: last.year, answer: last.answer, undo: true });
  render();
}

function sure(level) {
  const before = pass.remark();
  remark({ ...before, confidence: before.confidence === level ? "" : level });
}

function remark(one) {
  pass.remarks.set(one.point_id, one);
  outbox.add("api/remarks", { point_id: one.point_id, confidence: one.confidence, note: one.note });
  render();
}

function storeNote() {
  clearTimeout(writing);
  const before = pass.remark();
  const note = byId("note").value.trim();
  if (byId("note").dataset.point === pass.point.id && note !== before.note) {
    pass.remarks.set(before.point_id, { ...before, note });
    outbox.add("api/remarks", { ...before, note });
  }
}

async function look(step) {
  const years = (await load(pass.place)).map((one) => one.year);
  const place = years.indexOf(looked ?? pass.year) + step;
  if (years[place] !== undefined) looked = years[place];
  render(true);
}

function controls() {
  for (const { does, shown, words } of ANSWERS) {
    byId("answers").append(
      element("button", { type: "button", className: "answer", onclick: () => act(does) }, words, element("kbd", {}, shown)),
    );
  }
  for (const [level, digit] of [["high", 4], ["medium", 5], ["low", 6]]) {
    const input = element("input", { type: "radio", name: "confidence", value: level, onclick: () => sure(level) });
    byId("confidence").append(element("label", { className: "choice" }, input, ` ${level} `, element("kbd", {}, digit)));
  }
  for (const id of ["rest", "back", "next", "undo", "open", "help"]) byId(id).onclick = () => act(id);
  byId("keys-list").append(
    ...KEYS.flatMap(({ shown, words }) => [element("dt", {}, element("kbd", {}, shown)), element("dd", {}, words)]),
  );
  byId("close").onclick = () => byId("keys").close();
  byId("note").oninput = () => {
    clearTimeout(writing);
    writing = setTimeout(storeNote, NOTE_PAUSE);
  };
  byId("note").onblur = storeNote;
  listen(act, () => byId("keys-on").checked);
  window.onbeforeunload = (event) => { if (outbox.waiting.length) event.preventDefault(); };
  document.addEventListener("visibilitychange", again);
}

async function again() {
  // Another page may have answered meanwhile.
  if (document.visibilityState !== "visible" || outbox.waiting.length) return;
  const told = await asked("api/state").catch(() => null);
  if (told === null || outbox.waiting.length) return;
  state = told;
  pass.load(told);
  render();
}

async function render(keeps = false) {
  if (!keeps) looked = undefined;
  const { point, year } = pass;
  const done = pass.answered();
  byId("bar").max = pass.points.length;
  byId("bar").value = done.size;
  byId("count").textContent = `${done.size} of ${pass.points.length} points answered`;
  byId("place").textContent = `${state.scales.patch ? "Patch" : "Point"} ${pass.place + 1} of ${pass.points.length}: ${point.id} · ${where(point)}`;
  byId("question").textContent = `${state.scales.patch ? "Is there a mine in this square" : "Is this point in a mine"} in ${year}?`;
  if (done.size === pass.points.length) trouble(`All ${done.size} points are answered. ${whatNext()}`, "note");
  else trouble(state.writable ? "" : READ_ONLY);
  if (seen !== pass.place) coming();
  answers(year);
  disputes(point);
  await pictures(pass.place);
}

function coming() {
  seen = -1;
  delete byId("pictures").dataset.point;
  byId("focus").replaceChildren(element("p", { className: "coming" }, "The pictures are coming."));
  byId("strip").replaceChildren();
}

async function pictures(place) {
  const { point } = pass;
  let years;
  try {
    years = await load(place);
  } catch (error) {
    if (place !== pass.place) return;
    trouble(`The pictures of this point did not come (${error.message}); trying again.`);
    setTimeout(() => { if (place === pass.place) render(true); }, AGAIN);
    return;
  }
  if (place !== pass.place) return;
  seen = place;
  answers(pass.year);
  show(years, { asked: pass.year, looked: looked ?? pass.year, all: pass.years, scales: state.scales, choose });
  byId("pictures").dataset.point = point.id;
  const next = pass.firstOpen(place);
  if (next !== undefined && next !== place) ahead(next);
}

function choose(year) {
  looked = year;
  if (pass.years.includes(year) && pass.standing().has(year)) pass.turn = pass.years.indexOf(year);
  render(true);
}

function answers(year) {
  const said = pass.standing();
  for (const [place, button] of [...byId("answers").children].entries()) {
    button.setAttribute("aria-pressed", String(said.get(year) === ANSWERS[place].does));
    button.disabled = seen !== pass.place || !state.writable;
  }
  byId("rest").hidden = pass.years.length < 2;
  byId("rest").disabled = pass.before === undefined || !state.writable;
  byId("undo").disabled = pass.given.length === 0 || !state.writable;
  byId("said").replaceChildren(...pass.years.map((one) => {
    const text = `${one}: ${WORDS[said.get(one)] ?? "not answered"}`;
    return element("li", { className: one === year ? "asked" : "" }, text);
  }));
  const { confidence, note, point_id: point } = pass.remark();
  for (const input of document.querySelectorAll("input[name=confidence]")) input.checked = input.value === confidence;
  if (byId("note").dataset.point !== point || document.activeElement !== byId("note")) byId("note").value = note;
  byId("note").dataset.point = point;
}

function disputes(point) {
  const found = state.disputes.filter((one) => one.id === point.id);
  byId("dispute").hidden = found.length === 0;
  byId("dispute").replaceChildren(...found.map(({ year, said }) =>
    element("p", {}, `${year}: ${said.map(([name, answer]) => `${name} says ${WORDS[answer]}`).join(", ")}`)));
}

function where({ longitude, latitude }) {
  const of = (value, plus, minus) => `${Math.abs(value).toFixed(5)}° ${value < 0 ? minus : plus}`;
  return `${of(latitude, "N", "S")}, ${of(longitude, "E", "W")}`;
}

function whatNext() {
  if (state.adjudicates) return "The agreed labels stand for the estimates.";
  if (state.kind === "sample") return "They are stored; minemap run --select area_estimates makes the estimates.";
  return `They are stored; minemap label hand-over ${state.task} passes them on.`;
}

function trouble(sentence, kind = "wrong") {
  byId("trouble").textContent = sentence;
  byId("trouble").className = kind;
  byId("trouble").hidden = sentence === "";
}

function tell(kind, sentence, waiting = 0) {
  if (kind === "refused") trouble(`Not stored: ${sentence}`);
  const kept = `${waiting} ${waiting === 1 ? "answer is" : "answers are"} kept here`;
  const words = { saved: "Saved", saving: "Saving", failing: `Not saved, retrying: ${sentence}; ${kept}` };
  if (!(kind in words)) return;
  byId("saved").textContent = words[kind];
  byId("saved").className = kind;
}

begin().catch((error) => trouble(error.message));
