// What the page knows: files of JSON beside it, read once; the details of sites when somebody asks for them.

/** Everything that is needed before the map is drawn. */
export async function loadWorld() {
  const names = ["map", "sites", "borders", "places", "session"];
  const [told, { sites, in_file: inFile }, borders, places, session] = await Promise.all(names.map((name) => json(`data/${name}.json`)));
  const details = new Map();
  const byId = new Map(sites.map((site, place) => [site.id, { ...site, file: Math.floor(place / inFile) }]));
  return {
    told, borders, places, session, sites: [...byId.values()], byId,
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
