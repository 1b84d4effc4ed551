// An outline while it is drawn: its corners in pixels of the image, whether it is closed, and every step back.

export class Draft {
  constructor() {
    this.corners = [];
    this.closed = false;
    this.steps = [];
  }

  change(edit) {
    this.steps.push({ corners: this.corners.map((corner) => [...corner]), closed: this.closed });
    edit();
  }

  add(corner) {
    if (!this.closed) this.change(() => this.corners.push(corner));
  }

  close() {
    if (this.closed || this.corners.length < 3) return false;
    this.change(() => { this.closed = true; });
    return true;
  }

  begin() {
    // A corner is about to be moved: one step back for the whole movement.
    this.change(() => {});
  }

  move(place, corner) {
    this.corners[place] = corner;
  }

  remove(place) {
    if (this.corners.length > 3 || !this.closed) this.change(() => this.corners.splice(place, 1));
  }

  insert(corner) {
    // On the edge that is nearest.
    const far = this.corners.map((from, place) => distance(corner, from, this.corners[(place + 1) % this.corners.length]));
    const after = far.indexOf(Math.min(...far));
    this.change(() => this.corners.splice(after + 1, 0, corner));
    return after + 1;
  }

  undo() {
    const before = this.steps.pop();
    if (before) Object.assign(this, before);
    return before !== undefined;
  }

  get path() {
    const drawn = this.corners.map(([x, y], place) => `${place ? "L" : "M"}${x} ${y}`).join("");
    return this.closed ? `${drawn}Z` : drawn;
  }

  squareMetres(metres) {
    const twice = this.corners.reduce((sum, [x, y], place) => {
      const [nextX, nextY] = this.corners[(place + 1) % this.corners.length];
      return sum + x * nextY - nextX * y;
    }, 0);
    return (Math.abs(twice) / 2) * metres * metres;
  }
}

function distance([x, y], [ax, ay], [bx, by]) {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const along = length ? Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)) : 0;
  return Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay));
}
