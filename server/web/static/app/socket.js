// The one socket for everything a page follows. It comes back by itself, says so, and takes only
// rising versions; a page that sleeps asks anew when it wakes.

const PING_EVERY_MS = 10_000;
const SILENT_AFTER_MS = 25_000;
const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 15_000;

export class Live {
  #api;
  #socket = null;
  #watched = new Map();
  #links = new Set();
  #link = "connecting";
  #heardAt = 0;
  #tries = 0;
  #again = null;

  constructor(api) {
    this.#api = api;
    setInterval(() => this.#look(), PING_EVERY_MS);
    addEventListener("online", () => this.#hurry());
    addEventListener("offline", () => this.#socket?.close());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /** Call `onState(data)` with each newer state of the topic until `signal` is aborted. */
  watch(topic, onState, signal) {
    const one = { onState, version: 0 };
    const all = this.#watched.get(topic) ?? new Set();
    this.#watched.set(topic, all.add(one));
    signal?.addEventListener("abort", () => {
      all.delete(one);
      if (all.size > 0 || this.#watched.get(topic) !== all) return;
      this.#watched.delete(topic);
      this.#say({ op: "unwatch", topic });
      if (this.#watched.size === 0) this.#socket?.close();
    });
    if (this.#socket === null) this.#connect();
    else this.#say({ op: "watch", topic });
  }

  /** Call `listener(link)` now and at each change of: connecting, live, lost. */
  onLink(listener, signal) {
    this.#links.add(listener);
    signal?.addEventListener("abort", () => this.#links.delete(listener));
    listener(this.#link);
  }

  #show(link) {
    if (link === this.#link) return;
    this.#link = link;
    for (const listener of this.#links) listener(link);
  }

  #say(words) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(words));
  }

  async #connect() {
    clearTimeout(this.#again);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
    this.#socket = socket;
    this.#heardAt = performance.now();
    socket.onopen = async () => {
      const token = await this.#api.token().catch(() => null);
      if (socket !== this.#socket) return;
      if (token) this.#say({ op: "sign_in", token });
      for (const topic of this.#watched.keys()) this.#say({ op: "watch", topic });
    };
    socket.onmessage = ({ data }) => socket === this.#socket && this.#hear(JSON.parse(data));
    socket.onclose = () => socket === this.#socket && this.#drop();
  }

  #hear(message) {
    this.#heardAt = performance.now();
    this.#tries = 0;
    if (message.type === "state") {
      this.#show("live");
      this.#tell(message);
    } else if (message.type === "bye") {
      this.#socket.close();
    }
  }

  #tell({ topic, version, data }) {
    for (const one of this.#watched.get(topic) ?? []) {
      if (version < one.version) continue;
      one.version = version;
      one.onState(data);
    }
  }

  #look() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    if (performance.now() - this.#heardAt > SILENT_AFTER_MS) this.#socket.close();
    else this.#say({ op: "ping" });
  }

  #hurry() {
    this.#tries = 0;
    if (this.#socket === null) this.#connect();
    else this.#look();
  }

  #drop() {
    this.#socket = null;
    if (this.#watched.size === 0) return this.#show("connecting");
    this.#show("lost");
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#tries);
    this.#tries += 1;
    this.#again = setTimeout(() => this.#connect(), delay * (0.5 + Math.random() / 2));
  }
}
