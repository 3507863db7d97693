// One hall's board, kept fresh: over the socket, and by polling while there is no socket.
// Every state is the whole board, so missing one loses nothing; only a rising version is taken.

const PING_EVERY_MS = 5_000;
const SILENT_AFTER_MS = 12_000;
const OPEN_WITHIN_MS = 6_000;
const ANSWER_WITHIN_MS = 5_000;
const POLL_EVERY_MS = 3_000;
const LOST_AFTER_MS = 2_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 20_000;
const LOOK_EVERY_MS = 250;

const jitter = (ms) => ms * (0.5 + Math.random() / 2);
const now = () => performance.now();

export class BoardFeed {
  #hall;
  #onBoard;
  #onLink;
  #link = "connecting";
  #board = null;
  #socket = null;
  #live = false;
  #heardAt = -Infinity;
  #pingedAt = -Infinity;
  #tries = 0;
  #connectAt = 0;
  #polling = false;
  #polledAt = -Infinity;
  #pollAt = 0;
  #troubleSince = null;

  /** `onBoard(board)` is called with each new state, `onLink(link)` at each change of: connecting,
   * live, polling, lost. */
  constructor(hall, { onBoard, onLink }) {
    this.#hall = hall;
    this.#onBoard = onBoard;
    this.#onLink = onLink;
  }

  start() {
    // The browser only hints that the network went or came; look at once and see.
    addEventListener("offline", () => this.#lookNow());
    addEventListener("online", () => this.#lookNow());
    document.addEventListener("visibilitychange", () => this.#look());
    setInterval(() => this.#look(), LOOK_EVERY_MS);
    // Ask at once and do not wait for the socket: the first board comes a moment earlier.
    this.#look();
  }

  #lookNow() {
    this.#drop();
    this.#tries = 0;
    this.#connectAt = 0;
    this.#pollAt = 0;
    this.#polledAt = -Infinity;
    this.#look();
  }

  #look() {
    if (this.#socket === null) {
      if (now() >= this.#connectAt) this.#connect();
    } else {
      this.#watchOver();
    }
    if (!this.#polling && now() >= this.#pollAt) this.#poll();
    this.#judge();
  }

  #judge() {
    const polled = now() - this.#polledAt < POLL_EVERY_MS + ANSWER_WITHIN_MS;
    if (this.#live || polled) {
      this.#troubleSince = null;
      this.#say(this.#live ? "live" : "polling");
    } else {
      this.#troubleSince ??= now();
      if (now() - this.#troubleSince > LOST_AFTER_MS) this.#say("lost");
    }
  }

  #say(link) {
    if (link === this.#link) return;
    this.#link = link;
    this.#onLink(link);
  }

  #take(board) {
    const last = this.#board;
    const newer = !last || board.version > last.version;
    const fresher = last && board.version === last.version && board.as_of > last.as_of;
    if (!newer && !fresher) return;
    this.#board = board;
    this.#onBoard(board);
  }

  // --- the socket ---------------------------------------------------------------------------

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
    this.#socket = socket;
    this.#heardAt = now();
    socket.onopen = () => {
      socket.send(JSON.stringify({ op: "watch", topic: `hall:${this.#hall}` }));
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#hear(JSON.parse(data));
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#drop();
    };
  }

  #hear(message) {
    this.#heardAt = now();
    if (message.type === "state") {
      this.#live = true;
      this.#tries = 0;
      this.#take(message.data);
      this.#judge();
    } else if (message.type === "fresh") {
      // Nothing changed, and as of when: the state we have still stands.
      if (this.#board?.version === message.version) {
        this.#take({ ...this.#board, as_of: message.as_of });
      }
    } else if (message.type === "bye") {
      this.#drop();
    }
  }

  #watchOver() {
    const socket = this.#socket;
    const silent = now() - this.#heardAt;
    const opened = socket.readyState === WebSocket.OPEN;
    if (silent > (opened ? SILENT_AFTER_MS : OPEN_WITHIN_MS)) {
      this.#drop();
    } else if (opened && now() - this.#pingedAt > PING_EVERY_MS) {
      this.#pingedAt = now();
      socket.send(JSON.stringify({ op: "ping" }));
    }
  }

  /** Let the socket go, poll at once, and connect again after a while: longer each time, and not
   * all screens of a city in the same moment. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    // What a poll said while the socket lived says nothing about now.
    if (this.#live) this.#polledAt = -Infinity;
    this.#live = false;
    socket?.close();
    this.#connectAt = now() + jitter(Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#tries));
    this.#tries += 1;
    this.#pollAt = Math.min(this.#pollAt, now() + jitter(FIRST_DELAY_MS));
  }

  // --- polling ------------------------------------------------------------------------------

  async #poll() {
    this.#polling = true;
    let rest = POLL_EVERY_MS;
    try {
      const response = await this.#ask();
      if (response.ok) {
        this.#take(await response.json());
      }
      rest = Math.max(rest, 1000 * Number(response.headers.get("retry-after") ?? 0));
      this.#reached(response.ok);
    } catch {
      this.#polledAt = -Infinity;
    }
    this.#polling = false;
    this.#pollAt = this.#live ? Infinity : now() + jitter(rest);
    this.#judge();
  }

  #ask() {
    // Without an ETag: a 304 would not tell as of when the state still stands.
    return fetch(`/api/v1/halls/${encodeURIComponent(this.#hall)}/board`, {
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  }

  #reached(well) {
    if (!well) {
      this.#polledAt = -Infinity;
      return;
    }
    // The server is back: the socket need not wait out its long delay.
    if (this.#link === "lost") this.#connectAt = Math.min(this.#connectAt, now() + jitter(1000));
    this.#polledAt = now();
  }
}
