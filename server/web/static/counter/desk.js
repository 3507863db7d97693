// A counter as the API tells it, and what is done there: one thing at a time, then a look at what came of it.

import { complain } from "../app/parts.js";
import { api } from "../staff/room.js";

const LOOK_APART_MS = 700;
const LOOKED_AT = 60;

export class Desk {
  counter = null;
  counters = [];
  tickets = [];
  board = null;
  undoUntil = 0;
  pausedAt = null;
  #signal;
  #change = () => {};
  #done = () => {};
  #busy = false;
  #lookedAt = -Infinity;
  #due = null;
  #asked = 0;

  constructor(hall, code, signal) {
    Object.assign(this, { hall, code });
    this.#signal = signal;
    signal.addEventListener("abort", () => clearTimeout(this.#due));
  }

  onChange(listener) {
    this.#change = listener;
  }

  onDone(listener) {
    this.#done = listener;
  }

  get path() {
    return `/halls/${this.hall}/counters/${this.code}`;
  }

  /** Who is called here or served. */
  get current() {
    return this.tickets.find((one) => one.counter === this.code && (one.state === "called" || one.state === "serving")) ?? null;
  }

  /** Those on hold: of this counter first. */
  get parked() {
    const found = this.tickets.filter(({ state }) => state === "parked");
    return [...found.filter((one) => one.counter === this.code), ...found.filter((one) => one.counter !== this.code)];
  }

  /** Who would be called here, as things stand: its own lines first, then those it helps. */
  get next() {
    const { own, overflow, serving } = this.counter;
    const here = this.tickets.filter((one) => one.state === "waiting" && !one.check_in_required && (!one.counter || one.counter === this.code));
    const mine = new Set([...own.filter((line) => serving.includes(line)), ...overflow]);
    const first = here.filter((one) => mine.has(one.line) || one.counter === this.code);
    return [...first, ...here.filter((one) => !first.includes(one) && serving.includes(one.line))];
  }

  get claims() {
    return this.tickets.filter((one) => one.state === "waiting" && one.priority && !one.priority.confirmed);
  }

  /** Ask the API how things stand. */
  async look() {
    const asked = ++this.#asked;
    this.#lookedAt = performance.now();
    const [counters, tickets] = await Promise.all([
      api.get(`/halls/${this.hall}/counters`, {}, this.#signal),
      api.get(`/halls/${this.hall}/tickets`, { limit: LOOKED_AT }, this.#signal),
    ]);
    if (asked !== this.#asked) return; // a later look is under way
    this.counters = counters.data;
    this.tickets = tickets.data;
    const here = this.counters.find(({ code }) => code === this.code);
    if (!here) throw Object.assign(new Error(), { detail: "没有这个窗口 There is no such counter" });
    this.counter = here;
    this.#change();
  }

  /** Something changed in the hall: look, but not more often than eyes can follow. */
  hear(board) {
    this.board = board;
    clearTimeout(this.#due);
    const rest = Math.max(0, this.#lookedAt + LOOK_APART_MS - performance.now());
    this.#due = setTimeout(() => this.look().catch(() => null), rest);
  }

  /** Do one thing, and say so; whatever came of it, look. */
  async act(words, work) {
    if (this.#busy) return;
    this.#busy = true;
    document.body.setAttribute("aria-busy", "true");
    try {
      const said = await work();
      if (said !== null) this.#done(typeof words === "function" ? words(said) : words);
    } catch (problem) {
      if (problem.name !== "AbortError") complain(problem);
    } finally {
      this.#busy = false;
      document.body.removeAttribute("aria-busy");
    }
    await this.look().catch(() => null);
  }

  /** Ask something of this counter; the answer. */
  post(what, body) {
    return api.ask("POST", `${this.path}/${what}`, { body });
  }
}
