// A person's way through the points of a task: what was said, what is asked next, and what can be undone.

export class Pass {
  constructor(state) {
    this.place = 0;
    this.load(state);
    this.go(this.firstOpen() ?? Math.max(0, this.points.length - 1));
  }

  load(state) {
    this.years = state.years;
    this.points = state.points;
    this.given = state.given.map(([point, year, answer]) => ({ point, year, answer }));
    this.remarks = new Map(state.remarks.map((one) => [one.point_id, one]));
  }

  get point() {
    return this.points[this.place];
  }

  standing(point = this.point.id) {
    return new Map(this.given.filter((one) => one.point === point).map((one) => [one.year, one.answer]));
  }

  get year() {
    return this.years[Math.min(this.turn, this.years.length - 1)];
  }

  arrive() {
    // A point that has all its answers is asked from its first year on, where somebody comes back to it.
    const said = this.standing();
    this.turn = Math.max(0, this.years.findIndex((year) => !said.has(year)));
  }

  remark(point = this.point.id) {
    return this.remarks.get(point) ?? { point_id: point, confidence: "", note: "" };
  }

  answered() {
    const counts = new Map();
    for (const one of this.given) counts.set(one.point, (counts.get(one.point) ?? new Set()).add(one.year));
    return new Set([...counts].filter(([, years]) => years.size === this.years.length).map(([point]) => point));
  }

  firstOpen(after = -1) {
    const done = this.answered();
    const order = this.points.map((_, place) => (place + after + 1) % this.points.length);
    return order.find((place) => !done.has(this.points[place].id));
  }

  go(place) {
    this.place = Math.min(this.points.length - 1, Math.max(0, place));
    this.arrive();
  }

  give(answer) {
    // Answers the year that is asked and goes on to the next one, or to the next point that is open.
    const one = { point: this.point.id, year: this.year, answer };
    if (this.standing().get(one.year) !== answer) this.given.push(one);
    this.turn += 1;
    if (this.turn >= this.years.length) this.go(this.firstOpen(this.place) ?? Math.min(this.place + 1, this.points.length - 1));
    return one;
  }

  get before() {
    // What was answered for the year before the one that is asked.
    return this.turn ? this.standing().get(this.years[this.turn - 1]) : undefined;
  }

  undo() {
    const last = this.given.pop();
    if (!last) return undefined;
    this.go(this.points.findIndex((point) => point.id === last.point));
    this.turn = this.years.indexOf(last.year);
    return last;
  }

  replay({ path, body }) {
    // What still waits to be stored counts already.
    if (path === "api/remarks") this.remarks.set(body.point_id, body);
    else if (body.undo) {
      const places = this.given.map((one) => one.point === body.point_id && one.year === body.year);
      const last = places.lastIndexOf(true);
      if (last >= 0 && this.given[last].answer === body.answer) this.given.splice(last, 1);
    } else this.given.push({ point: body.point_id, year: body.year, answer: body.answer });
  }
}
