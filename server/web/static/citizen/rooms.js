// What all views share: the API, the socket, where she is, and names that seldom change.

import { Api, all } from "../app/api.js";
import { Live } from "../app/socket.js";

export const api = new Api("citizen");
export const live = new Live(api);

/** Where she says she is: kept in this tab's memory only. */
export const here = { place: null, name: "" };

const kept = new Map();

function once(key, get) {
  if (!kept.has(key)) {
    kept.set(key, get().catch((problem) => {
      kept.delete(key);
      throw problem;
    }));
  }
  return kept.get(key);
}

export const items = () => once("items", () => all(api.read.bind(api), "/items"));
export const itemNamed = async (code) => (await items()).find((item) => item.code === code) ?? null;
export const hall = (code) => once(`hall ${code}`, () => api.read(`/halls/${encodeURIComponent(code)}`));
export const lines = (code) => once(`lines ${code}`, () => api.read(`/halls/${encodeURIComponent(code)}/lines`));

/** The business clock: a demo city may live on another day. */
export const clock = {
  ahead: 0,
  take(now) {
    this.ahead = Date.parse(now) - Date.now();
  },
  now() {
    return Date.now() + this.ahead;
  },
};

/** What the server says of itself; where it cannot be had, nothing. */
export const about = fetch("/about.json")
  .then((answer) => answer.json())
  .then((said) => {
    clock.take(said.now);
    return said;
  })
  .catch(() => ({}));

/** Where the phone says she is; throws words for her. */
export function locate() {
  return new Promise((resolve, reject) => {
    if (!navigator.geolocation) return reject(new Error("none"));
    navigator.geolocation.getCurrentPosition(
      // Eleven metres are near enough for choosing a hall.
      ({ coords }) => resolve({ lat: Number(coords.latitude.toFixed(4)), lng: Number(coords.longitude.toFixed(4)), datum: "wgs84" }),
      reject,
      { maximumAge: 60_000, timeout: 10_000 },
    );
  });
}
