// The address tells what is shown, so that a link shows the same: view, year, mode, comparison and what is selected.

const SELECTED = ["site", "country", "region"];

/** What an address asks for, with what does not exist left out. */
export function readLink(hash, known) {
  const asked = new URLSearchParams(hash.replace(/^#/, ""));
  const found = {};
  const view = (asked.get("map") ?? "").split("/").map(Number);
  if (view.length === 3 && view.every(Number.isFinite) && Math.abs(view[1]) <= 90) {
    found.view = { zoom: view[0], center: [view[2], view[1]] };
  }
  const year = Number(asked.get("year"));
  if (known.years.includes(year)) found.year = year;
  if (["first", "change"].includes(asked.get("mode"))) found.mode = asked.get("mode");
  if (asked.has("imagery")) found.imagery = asked.get("imagery") === "1";
  const before = Number(asked.get("before"));
  if (known.years.includes(before)) found.before = before;
  for (const name of SELECTED) {
    if (known[name].has(asked.get(name))) found[name] = asked.get(name);
  }
  return found;
}

/** The address of a state and a view. */
export function link(state, view) {
  const { lng, lat } = view.center;
  const parts = [["map", `${view.zoom.toFixed(2)}/${lat.toFixed(5)}/${lng.toFixed(5)}`], ["year", state.year]];
  parts.push(["mode", state.mode], ["imagery", state.imagery ? 1 : 0]);
  if (state.before !== null) parts.push(["before", state.before]);
  for (const name of SELECTED) if (state[name] !== null) parts.push([name, state[name]]);
  return `#${parts.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2F", "/")}`).join("&")}`;
}
