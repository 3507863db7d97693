// Which language the page speaks, and how large: kept in this browser, nothing personal.

const KEPT = { language: "yiting-language", type: "yiting-type" };
const listeners = new Set();

function keep(name, value) {
  try {
    localStorage.setItem(KEPT[name], value);
  } catch {
    // A browser that keeps nothing forgets this with the page.
  }
}

function kept(name) {
  try {
    return localStorage.getItem(KEPT[name]);
  } catch {
    return null;
  }
}

function spokenHere() {
  const said = kept("language");
  if (said === "zh" || said === "en") return said;
  return navigator.language?.toLowerCase().startsWith("zh") ? "zh" : navigator.language ? "en" : "zh";
}

/** How she has the pages: the language they speak, and whether they write large. */
export const chosen = { language: spokenHere(), isLarge: kept("type") === "large" };

/** The one of both that the page speaks. */
export const t = (zh, en) => (chosen.language === "en" ? en : zh);

/** A field of the API that comes as `name` and `name_en`. */
export const named = (thing, field = "name") =>
  (chosen.language === "en" && thing[`${field}_en`]) || thing[field] || "";

export function speak(wanted) {
  chosen.language = wanted;
  keep("language", wanted);
  apply();
  for (const listener of listeners) listener();
}

export function writeLarge(wanted) {
  chosen.isLarge = wanted;
  keep("type", wanted ? "large" : "usual");
  apply();
}

/** Call `listener` whenever another language is chosen. */
export function onLanguage(listener) {
  listeners.add(listener);
}

function apply() {
  document.documentElement.lang = chosen.language === "en" ? "en" : "zh-CN";
  document.documentElement.dataset.type = chosen.isLarge ? "large" : "usual";
}

apply();
