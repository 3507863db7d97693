// The public API as the pages ask it. The access token lives in memory only; a cookie that no
// script reads gets the next one.

import { chosen, t } from "./language.js";

const ANSWER_WITHIN_MS = 12_000;
const RENEW_BEFORE_S = 90;

/** What the server refused, in words for her; `code` is stable. */
export class Problem extends Error {
  constructor(status, { code = "unavailable", title = "", detail = "", errors = [] } = {}, retryAfter = 0) {
    super(detail || title || code);
    Object.assign(this, { status, code, title, detail: detail || title, errors, retryAfter });
  }
}

const away = () =>
  new Problem(0, {
    code: "offline",
    detail: t("连不上服务器，请检查网络后再试。", "The server cannot be reached. Check the network and try again."),
  });

export class Api {
  #kind;
  #token = null;
  #until = 0;
  #renewing = null;
  #nobody = false;
  #onSignedOut = () => {};

  /** `kind` is whose pages these are: `citizen` or `staff`. */
  constructor(kind) {
    this.#kind = kind;
    // She may have signed in in another tab.
    document.addEventListener("visibilitychange", () => (this.#nobody = false));
  }

  /** Call `listener` when a sign-in that was there is over. */
  onSignedOut(listener) {
    this.#onSignedOut = listener;
  }

  get isSignedIn() {
    return this.#token !== null;
  }

  /** Ask, and get the answer's JSON; throws a Problem. `once` is an Idempotency-Key. */
  async ask(method, path, { body, query, once, signal } = {}) {
    const token = await this.token();
    try {
      return await this.#send(method, path, { body, query, once, signal }, token);
    } catch (problem) {
      if (problem.status !== 401 || token === null) throw problem;
      // It ended early, or this browser slept through its end.
      this.#token = null;
      const next = await this.token();
      if (next === null) {
        this.#onSignedOut();
        throw problem;
      }
      return this.#send(method, path, { body, query, once, signal }, next);
    }
  }

  get(path, query, signal) {
    return this.ask("GET", path, { query, signal });
  }

  /** What everybody may read: it waits for no token. */
  read(path, query, signal) {
    return this.#send("GET", path, { query, signal }, null);
  }

  /** A file that only who is signed in may have. */
  async file(path, query) {
    const headers = { Authorization: `Bearer ${await this.token()}` };
    const response = await fetch(`/api/v1${path}${asQuery(query)}`, { headers, cache: "no-store" }).catch(() => {
      throw away();
    });
    if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
    return response.blob();
  }

  /** An access token that is good for a while, or null when nobody is signed in. */
  async token() {
    if (this.#token !== null && Date.now() < this.#until) return this.#token;
    if (this.#nobody) return null;
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /** Take the pair of tokens a sign-in gave, and keep this browser signed in. */
  async signedIn(pair) {
    this.#take(pair);
    await this.#send("POST", "/sessions/page", {}, this.#token);
  }

  /** Get another token, which says what she may do by now. */
  renew() {
    return this.#renew();
  }

  async signOut() {
    const token = this.#token;
    this.#forget();
    if (token) await this.#send("DELETE", "/sessions/current", {}, token).catch(() => null);
  }

  #forget() {
    this.#token = null;
    this.#nobody = true;
  }

  #take({ access_token: token, expires_in: lives }) {
    this.#token = token;
    this.#nobody = false;
    this.#until = Date.now() + 1000 * Math.max(5, lives - RENEW_BEFORE_S);
  }

  async #renew() {
    const said = await this.#send("POST", "/sessions/page/token", { body: { kind: this.#kind } }, null);
    if (said) this.#take(said);
    else this.#forget();
    return this.#token;
  }

  async #send(method, path, { body, query, once, signal }, token) {
    const headers = { Accept: "application/json", "Accept-Language": chosen.language === "en" ? "en" : "zh-CN" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (token) headers.Authorization = `Bearer ${token}`;
    if (once) headers["Idempotency-Key"] = once;
    const limit = AbortSignal.timeout(ANSWER_WITHIN_MS);
    let response;
    try {
      response = await fetch(`/api/v1${path}${asQuery(query)}`, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
    } catch (fault) {
      if (signal?.aborted) throw fault;
      throw away();
    }
    if (response.status === 204) return null;
    const said = await response.json().catch(() => ({}));
    if (response.ok) return said;
    throw new Problem(response.status, said, Number(response.headers.get("retry-after") ?? 0));
  }
}

function asQuery(query = {}) {
  const said = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return said.length ? `?${new URLSearchParams(said)}` : "";
}

/** All pages of a list, `most` entries at most; `get` asks for a page. */
export async function all(get, path, query = {}, most = 500) {
  const found = [];
  let cursor;
  do {
    const page = await get(path, { ...query, cursor, limit: 100 });
    found.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor && found.length < most);
  return found;
}
