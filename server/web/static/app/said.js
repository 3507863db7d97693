// How values are said in the language of the page. A value that is not known is said to be so,
// never made up.

import { chosen, t } from "./language.js";

const ZONE = "Asia/Shanghai";
const format = (options) => {
  const made = {};
  return (at) => (made[chosen.language] ??= new Intl.DateTimeFormat(chosen.language === "en" ? "en-GB" : "zh-CN", { timeZone: ZONE, hourCycle: "h23", ...options })).format(new Date(at));
};

/** 10:20 */
export const time = format({ hour: "2-digit", minute: "2-digit" });
/** 11月24日 周二 */
export const day = format({ month: "short", day: "numeric", weekday: "short" });
/** 2026-11-24, the date in the city. */
export const date = (at) => new Intl.DateTimeFormat("en-CA", { timeZone: ZONE }).format(new Date(at));

const minutes = (seconds) => Math.max(0, Math.round(seconds / 60));

/** Seconds as people say them. */
export function lasting(seconds) {
  const whole = minutes(seconds);
  if (whole < 1) return t("不到 1 分钟", "under a minute");
  if (whole < 90) return t(`${whole} 分钟`, `${whole} min`);
  const hours = Math.floor(whole / 60);
  const rest = whole % 60;
  if (rest === 0) return t(`${hours} 小时`, `${hours} h`);
  return t(`${hours} 小时 ${rest} 分`, `${hours} h ${rest} min`);
}

/** "约 20 分钟" of a predicted time; null when it is not known. */
export function about(range) {
  if (!range) return null;
  const takes = lasting(range.p50_s);
  return minutes(range.p50_s) < 1 ? takes : t(`约 ${takes}`, `about ${takes}`);
}

/** "12–31 分钟": between which it lies four times in five; null when it is not known. */
export function between(range) {
  if (!range) return null;
  const low = Math.floor(range.p10_s / 60);
  const high = Math.max(1, Math.ceil(range.p90_s / 60));
  if (low >= high) return t(`${high} 分钟`, `${high} min`);
  if (high < 90) return t(`${low}–${high} 分钟`, `${low}–${high} min`);
  return `${lasting(range.p10_s)} – ${lasting(range.p90_s)}`;
}

export function distance(metres) {
  if (metres === null || metres === undefined) return null;
  if (metres < 950) return t(`${Math.max(10, Math.round(metres / 10) * 10)} 米`, `${Math.max(10, Math.round(metres / 10) * 10)} m`);
  const km = metres < 9_950 ? (metres / 1000).toFixed(1) : `${Math.round(metres / 1000)}`;
  return t(`${km} 公里`, `${km} km`);
}

export const people = (count) => t(`${count} 人`, count === 1 ? "1 person" : `${count} people`);

/** Whole fen as yuan. */
export function money(fen) {
  const yuan = Math.trunc(fen / 100);
  return `¥${yuan}.${String(Math.abs(fen % 100)).padStart(2, "0")}`;
}

/** A moment with its day where that is another day than `now`. */
export const moment = (at, now) => (date(at) === date(now) ? time(at) : `${day(at)} ${time(at)}`);
