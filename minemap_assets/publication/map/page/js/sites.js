// The sites, of which there may be tens of thousands: columns of numbers, from which one site is put together when wanted.

const MICRODEGREES = 1e6;
const CORNERS = 8; // numbers a window

/** All sites, by their place in the columns or by their id. */
export class Sites {
  constructor(columns) {
    this.columns = columns;
    this.count = columns.id.length;
    this.places = new Map(columns.id.map((id, place) => [id, place]));
  }

  has(id) {
    return this.places.has(id);
  }

  /** One site: its id, region, country, middle, window, and the years of its pictures. */
  get(id) {
    const place = this.places.get(id);
    const { regions, region, countries, country, in_file: inFile } = this.columns;
    return {
      id, place, region: regions[region[place]], iso3: countries[country[place]], at: this.at(place),
      corners: this.corners(place), pictures: this.pictures(place), file: Math.floor(place / inFile),
    };
  }

  id(place) {
    return this.columns.id[place];
  }

  at(place) {
    const { at } = this.columns;
    return [at[2 * place], at[2 * place + 1]];
  }

  /** Corners of a window from the top left clockwise; null where none is known. */
  corners(place) {
    const { corners } = this.columns;
    const first = CORNERS * place;
    if (corners[first] === null) return null;
    const [x, y] = this.at(place);
    return [0, 2, 4, 6].map((n) => [x + corners[first + n] / MICRODEGREES, y + corners[first + n + 1] / MICRODEGREES]);
  }

  /** Width of a window in degrees; 0 where none is known. */
  width(place) {
    const { corners } = this.columns;
    return Math.abs(corners[CORNERS * place + 2] - corners[CORNERS * place]) / MICRODEGREES;
  }

  pictures(place) {
    const { year_sets: sets, pictures } = this.columns;
    return sets[pictures[place]];
  }

  /** Square kilometres of a year, a number or null for each place. */
  km2(year) {
    return this.columns.km2[this.columns.years.indexOf(year)];
  }

  /** Places of the sites inside a box in degrees. */
  inside(west, south, east, north) {
    const { at } = this.columns;
    const found = [];
    for (let place = 0; place < this.count; place += 1) {
      const [x, y] = [at[2 * place], at[2 * place + 1]];
      if (x >= west && x <= east && y >= south && y <= north) found.push(place);
    }
    return found;
  }

  /** Places of the sites of a region, or of a country. */
  of(column, value) {
    const [names, own] = column === "region" ? [this.columns.regions, this.columns.region]
      : [this.columns.countries, this.columns.country];
    const wanted = names.indexOf(value);
    return own.flatMap((one, place) => (one === wanted ? [place] : []));
  }

  /** The places with the largest areas in a year, at most so many, the largest first. */
  largest(places, year, most) {
    const km2 = this.km2(year);
    const area = (place) => km2[place] ?? -1;
    const chosen = [];
    for (const place of places) {
      if (chosen.length === most && area(place) <= area(chosen[most - 1])) continue;
      let slot = chosen.length;
      while (slot > 0 && area(chosen[slot - 1]) < area(place)) slot -= 1;
      chosen.splice(slot, 0, place);
      if (chosen.length > most) chosen.pop();
    }
    return chosen;
  }
}
