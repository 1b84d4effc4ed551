// Saying that an outline is no mine. Where the page is served it is written down; elsewhere the command is told.

import { byId, el } from "./dom.js";

/** Opens the form for an outline; `saved` is called with what was written down. */
export function askRejection(polygonId, state, saved) {
  const dialog = byId("rejecting");
  const { session } = state;
  const close = el("button", { type: "button", onclick: () => dialog.close() }, session.writable ? "Cancel" : "Close");
  const title = el("h2", { id: "rejecting-title" }, `Reject ${polygonId}`);
  dialog.replaceChildren(title, ...(session.writable ? form(dialog, polygonId, state, saved, close)
    : explained(session, polygonId, close)));
  dialog.showModal();
}

function explained(session, polygonId, close) {
  const how = session.served
    ? "Writing needs the address that `minemap map` printed, with its token: open that one again. Or run"
    : "This page is a copy that nobody can write to. In the project, run";
  return [
    el("p", {}, how),
    el("pre", { tabindex: "0" }, `minemap corrections reject ${polygonId} --reason "why it is no mine" --author "your name"`),
    el("p", {}, "The next run then takes it off the maps and out of the tables."),
    el("div", { class: "buttons" }, close),
  ];
}

function form(dialog, polygonId, state, saved, close) {
  const reason = el("textarea", { id: "reason", rows: 3, required: true, maxlength: 2000 });
  const author = el("input", { id: "author", type: "text", required: true, maxlength: 200, value: state.session.user });
  const wrong = el("p", { class: "wrong", role: "alert" });
  const send = el("button", { type: "submit", class: "main" }, "Save");
  const onsubmit = async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    if (!reason.value.trim() || !author.value.trim()) {
      wrong.textContent = "Say why, and who says so: the tables rest on it.";
      return;
    }
    send.disabled = true;
    try {
      const years = dialog.querySelector("[name=years]:checked").value === "all" ? [] : [state.year];
      const said = { polygon_id: polygonId, reason: reason.value, author: author.value, years };
      saved(await post("corrections/reject", said));
      dialog.close();
    } catch (error) {
      wrong.textContent = error.message;
    } finally {
      send.disabled = false;
    }
  };
  return [
    el("form", { onsubmit, novalidate: true },
      el("p", {}, "There is no mine on its ground: a sandbar, a pond, a landslide. The next run takes it off the maps and "
        + "out of the tables, also when outlines are made anew."),
      el("label", { for: "reason" }, "Why"), reason,
      el("label", { for: "author" }, "Who says so"), author,
      el("fieldset", {}, el("legend", {}, "Years"),
        el("label", {}, el("input", { type: "radio", name: "years", value: "all", checked: true }), " every year"),
        el("label", {}, el("input", { type: "radio", name: "years", value: "one" }), ` only ${state.year}`)),
      wrong, el("div", { class: "buttons" }, send, close)),
  ];
}

async function post(address, value) {
  const answer = await fetch(address, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error ?? `it was not saved: ${answer.status}`);
  return told;
}
