// What a wall is asked to show, in its address: `?lines=A,B&counters=01,02&zone=…&language=en&type=large&voice=zh,yue,en`.
// Nothing asked for: everything, in both languages, and calls are said in Mandarin. `voice=off` is silent.

const asked = new URLSearchParams(location.search);
const listed = (name) => (asked.get(name) ?? "").split(/[,，\s]+/).filter(Boolean);
const lines = new Set(listed("lines").map((code) => code.toUpperCase()));
const counters = new Set(listed("counters"));
const zone = asked.get("zone");

const VOICES = { zh: "zh-CN", yue: "zh-HK", en: "en-GB" };
export const voices = asked.get("voice") === "off" ? [] : (listed("voice").length ? listed("voice") : ["zh"]).filter((one) => one in VOICES);

const language = asked.get("language");
document.documentElement.dataset.language = language === "en" || language === "zh" ? language : "both";
document.documentElement.dataset.type = asked.get("type") === "large" ? "large" : "usual";
if (language === "en") document.documentElement.lang = "en";

export const isEnglish = language === "en";
/** Words in Chinese and English as this wall says them: one of both, or both. */
export const inWords = ([zh, en]) => (language === "en" ? en : language === "zh" ? zh : `${zh} ${en}`);
/** The one that is written large. */
export const mainWord = ([zh, en]) => (language === "en" ? en : zh);

/** The part of a hall's board that this wall is for. */
export function part(board) {
  if (lines.size === 0 && counters.size === 0 && !zone) return board;
  const isOurs = ({ code, lines: serves = [] }) => (counters.size ? counters.has(code) : lines.size === 0 || serves.some((line) => lines.has(line)));
  const shown = board.counters.filter(isOurs);
  const codes = new Set(shown.map(({ code }) => code));
  const served = new Set(shown.flatMap(({ lines: serves = [] }) => serves));
  return {
    ...board,
    everyCounter: board.counters,
    counters: shown,
    // Whoever is called to a counter of another part may still be of a line shown here.
    called: board.called.filter(({ counter, number }) => codes.has(counter) || (counters.size === 0 && lines.has(number[0]))),
    lines: board.lines.filter(({ code }) => (lines.size ? lines.has(code) : counters.size === 0 || served.has(code))),
    announcements: (board.announcements ?? []).filter((one) => !zone || !one.zone || one.zone === zone),
  };
}

const SENTENCES = {
  zh: (number, place) => `请 ${spelled(number)} 号到 ${place}`,
  yue: (number, place) => `请 ${spelled(number)} 号到 ${place}`,
  en: (number, _, english) => `Number ${spelled(number)}, please go to ${english.toLowerCase()}`,
};
// Digit by digit, as numbers are called.
const spelled = (number) => [...number].join(" ");
const MOST_UNSAID = 12;

/** Say calls aloud, one after the other; a backlog is dropped, for old calls help nobody. */
export function sayAloud(calls) {
  const voice = window.speechSynthesis;
  if (!voice || voices.length === 0) return;
  if (sayAloud.unsaid > MOST_UNSAID) {
    voice.cancel();
    sayAloud.unsaid = 0;
  }
  for (const { number, place, english } of calls) {
    for (const wanted of voices) {
      const said = new SpeechSynthesisUtterance(SENTENCES[wanted](number, place, english));
      said.lang = VOICES[wanted];
      said.rate = 0.9;
      sayAloud.unsaid += 1;
      said.onend = said.onerror = () => (sayAloud.unsaid = Math.max(0, sayAloud.unsaid - 1));
      voice.speak(said);
    }
  }
}
sayAloud.unsaid = 0;
