// What a person said and the server has not stored yet: sent in order, one at a time, and kept until it is stored.
//
// It also survives a reload. Each page has a box of its own in the browser's storage; a page that begins takes over the
// boxes of pages that are gone, which it tells by the lock that every living page holds.

const PAUSES = [500, 1000, 2000, 5000];
const REFUSED = new Set([400, 404, 413]);

export class Outbox {
  constructor(name, changed) {
    this.prefix = `minemap-label:${name}:`;
    this.own = `${this.prefix}${crypto.randomUUID()}`;
    this.changed = changed;
    this.waiting = [];
    this.failed = 0;
    this.state = "saved";
    this.sentence = "";
  }

  async begin() {
    await new Promise((held) => {
      navigator.locks.request(this.own, () => { held(); return new Promise(() => {}); });
    });
    for (const key of Object.keys(localStorage).filter((one) => one.startsWith(this.prefix) && one !== this.own)) {
      await navigator.locks.request(key, { ifAvailable: true }, (lock) => {
        if (lock === null) return;
        this.waiting.push(...JSON.parse(localStorage.getItem(key) ?? "[]"));
        localStorage.removeItem(key);
      });
    }
    this.keep();
    if (this.waiting.length) this.send();
    return [...this.waiting];
  }

  add(path, body) {
    this.waiting.push({ path, body });
    this.keep();
    if (this.waiting.length === 1 || this.state === "saved") this.send();
  }

  keep() {
    if (this.waiting.length) localStorage.setItem(this.own, JSON.stringify(this.waiting));
    else localStorage.removeItem(this.own);
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    while (this.waiting.length) {
      this.tell(this.failed ? "failing" : "saving");
      const status = await this.post(this.waiting[0]);
      if (status === "stored" || status === "refused") {
        this.failed = 0;
        const sent = this.waiting.shift();
        this.keep();
        this.changed(status, this.sentence, this.waiting.length, sent);
        continue;
      }
      this.failed += 1;
      this.tell("failing");
      await new Promise((done) => setTimeout(done, PAUSES[Math.min(this.failed, PAUSES.length) - 1]));
    }
    this.sending = false;
    this.tell("saved");
  }

  async post({ path, body }) {
    try {
      const answer = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(70_000),
      });
      if (answer.ok) return (await answer.json()).stored === true ? "stored" : "lost";
      this.sentence = await said(answer);
      return REFUSED.has(answer.status) ? "refused" : "lost";
    } catch {
      this.sentence = "the server does not answer";
      return "lost";
    }
  }

  tell(state) {
    this.state = state;
    this.changed(state, this.sentence, this.waiting.length);
  }
}

async function said(answer) {
  try {
    return (await answer.json()).error ?? `the server answered ${answer.status}`;
  } catch {
    return `the server answered ${answer.status}`;
  }
}
