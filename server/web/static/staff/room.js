// What the staff's pages share: the API as staff, the socket, the business clock, who she is.

import { Api, all } from "../app/api.js";
import { Live } from "../app/socket.js";
import { BusinessClock } from "../clock.js";

export const api = new Api("staff");
export const live = new Live(api);
export const clock = new BusinessClock();
clock.guess(new Date().toISOString());

const about = await fetch("/about.json").then((answer) => answer.json()).catch(() => null);
if (about) clock.set(about.now, about.clock_speed);

/** Seconds of the hall's time since a moment. */
export const since = (moment) => Math.max(0, (clock.now() - Date.parse(moment)) / 1000);

const kept = new Map();

/** What seldom changes is asked for once. */
export function once(key, get) {
  if (!kept.has(key)) {
    kept.set(key, get().catch((problem) => {
      kept.delete(key);
      throw problem;
    }));
  }
  return kept.get(key);
}

export const forget = (key) => kept.delete(key);
export const me = () => once("me", () => api.get("/staff/me"));
export const items = (hall) => once(`items ${hall}`, () => all(api.get.bind(api), "/items", { hall }));
export const item = (code) => once(`item ${code}`, () => api.get(`/items/${encodeURIComponent(code)}`));
export const lines = (hall) => once(`lines ${hall}`, async () => (await api.get(`/halls/${hall}/lines`)).data);
export const everyHall = () => once("halls", () => all(api.get.bind(api), "/halls", {}));

/** The halls where she works, in the city's order. */
export async function myHalls() {
  const [who, halls] = await Promise.all([me(), everyHall()]);
  const mine = who.halls.length ? halls.filter(({ code }) => who.halls.includes(code)) : halls;
  return mine.sort((one, other) => one.code.localeCompare(other.code));
}
