// Taking a number, and what is said where it is refused.

import { t } from "../app/language.js";
import { toast } from "../app/parts.js";
import { api, here } from "./rooms.js";

/**
 * Take a number and go to it; `once` is the key of this one intention. `wishes`: `for` whom, and
 * her `priority_claim`.
 */
export async function takeNumber(hall, item, once, wishes = {}) {
  const signIn = () => (location.hash = `#/sign-in?then=${encodeURIComponent(location.hash.slice(1))}`);
  try {
    if (!(await api.token())) return signIn();
    const ticket = await api.ask("POST", "/tickets", { body: { hall, item, ...wishes, ...(here.place ? { place: here.place } : {}) }, once });
    location.hash = `#/tickets/${ticket.id}`;
  } catch (problem) {
    if (problem.status === 401) return signIn();
    if (problem.code === "level_too_low") {
      toast(problem.detail, "note");
      location.hash = "#/me";
      return;
    }
    if (problem.code === "already_in_line") {
      toast(t("您已经在排队了。", "You are in line already."), "note");
      location.hash = "#/visits";
      return;
    }
    throw problem;
  }
}
