// Pictures of the sites in view, for one map and one year: only those that are large enough to show anything.

const LEAST_WIDTH = 24; // pixels on the screen
const MOST = 40;
const MARGIN = 0.5; // degrees: the middle of a window may lie beyond the screen
const BELOW = "windows"; // outlines are drawn over the pictures

/** Keeps the pictures of a map up to date. */
export class Pictures {
  constructor(map, sites) {
    this.map = map;
    this.sites = sites;
    this.year = null;
    this.shown = new Map();
    map.on("moveend", () => this.update());
  }

  /** Pictures of a year; none for null. */
  show(year) {
    this.year = year;
    this.update();
  }

  update() {
    const wanted = new Map(this.year === null ? [] : this.inView().map((site) => [site.id, site]));
    for (const id of [...this.shown.keys()]) if (!wanted.has(id)) this.remove(id);
    for (const site of wanted.values()) this.put(site);
  }

  inView() {
    const bounds = this.map.getBounds();
    const [west, south, east, north] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const pixelsPerDegree = (512 * 2 ** this.map.getZoom()) / 360;
    const { lng, lat } = this.map.getCenter();
    const far = ({ at }) => (at[0] - lng) ** 2 + (at[1] - lat) ** 2;
    const { sites } = this;
    return sites.inside(west - MARGIN, south - MARGIN, east + MARGIN, north + MARGIN)
      .filter((place) => sites.width(place) * pixelsPerDegree >= LEAST_WIDTH && sites.pictures(place).includes(this.year))
      .map((place) => ({ id: sites.id(place), at: sites.at(place), corners: sites.corners(place) }))
      .filter(({ corners }) => meets(corners, west, south, east, north))
      .sort((a, b) => far(a) - far(b))
      .slice(0, MOST);
  }

  put(site) {
    const name = `picture-${site.id}`;
    const url = `pictures/${encodeURIComponent(site.id)}/${this.year}.webp`;
    if (this.shown.get(site.id) === url) return;
    const source = this.map.getSource(name);
    if (source) source.updateImage({ url, coordinates: site.corners });
    else {
      this.map.addSource(name, { type: "image", url, coordinates: site.corners });
      this.map.addLayer({ id: name, type: "raster", source: name, paint: { "raster-fade-duration": 0 } }, BELOW);
    }
    this.shown.set(site.id, url);
  }

  remove(id) {
    this.map.removeLayer(`picture-${id}`);
    this.map.removeSource(`picture-${id}`);
    this.shown.delete(id);
  }
}

function meets(corners, west, south, east, north) {
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  return Math.max(...xs) >= west && Math.min(...xs) <= east && Math.max(...ys) >= south && Math.min(...ys) <= north;
}
