// The city's business clock. A wall's own clock may be wrong, and a demo city may live on another
// day, so the server's time is taken and carried on by the browser's stopwatch.

const ZONE = "Asia/Shanghai";
const format = (locale, options) => new Intl.DateTimeFormat(locale, { timeZone: ZONE, ...options });
const TIME = format("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const SHORT_TIME = format("en-GB", { hour: "2-digit", minute: "2-digit" });
const DATE_ZH = format("zh-CN", { year: "numeric", month: "long", day: "numeric", weekday: "long" });
const DATE_EN = format("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });
const DAY_ZH = format("zh-CN", { month: "long", day: "numeric" });
const DAY_EN = format("en-GB", { day: "numeric", month: "short" });

export const timeOf = (at) => TIME.format(at);
export const shortTimeOf = (at) => SHORT_TIME.format(at);
export const dateOf = (at) => [DATE_ZH.format(at), DATE_EN.format(at)];

/** A moment as seen from `now`: the time, with the day before it when that is another day. */
export function momentOf(at, now) {
  const time = shortTimeOf(at);
  if (DAY_EN.format(at) === DAY_EN.format(now)) return [time, time];
  return [`${DAY_ZH.format(at)} ${time}`, `${DAY_EN.format(at)}, ${time}`];
}

export class BusinessClock {
  #then = null;
  #mark = 0;
  #speed = 1;

  /** Take the server's time and how fast it runs. */
  set(now, speed) {
    this.#then = Date.parse(now);
    this.#mark = performance.now();
    this.#speed = speed;
  }

  /** Take a time that is only about right, when there is none yet. */
  guess(now) {
    if (this.#then === null) this.set(now, 1);
  }

  /** The business time as a Date, or null before the first word from the server. */
  now() {
    if (this.#then === null) return null;
    return new Date(this.#then + (performance.now() - this.#mark) * this.#speed);
  }

  /** How many real seconds have passed since a business moment; null when it is not known. */
  secondsSince(moment) {
    const now = this.now();
    return now && Math.max(0, Math.round((now - Date.parse(moment)) / 1000 / this.#speed));
  }
}
