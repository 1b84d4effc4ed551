// What the page knows: files of JSON beside it, read once; the details of sites when somebody asks for them.

import { Sites } from "./sites.js";

/** Everything that is needed before the map is drawn; what only the map draws, it reads by itself. */
export async function loadWorld() {
  const [told, columns, places, session] = await Promise.all(["map", "sites", "places", "session"].map((name) => json(`data/${name}.json`)));
  const details = new Map();
  return {
    told, places, session, sites: new Sites(columns),
    async detail(site) {
      if (!details.has(site.file)) details.set(site.file, json(`data/details/${site.file}.json`));
      return (await details.get(site.file))[site.id];
    },
  };
}

async function json(address) {
  const answer = await fetch(address, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${address} was not sent: ${answer.status}`);
  return answer.json();
}
