// Back from the province: spend the code, keep this browser signed in, and go on where she was.

import { Api } from "../app/api.js";
import { t } from "../app/language.js";

async function finish() {
  const said = new URLSearchParams(location.search);
  // No history keeps the code.
  history.replaceState(null, "", "/province/back");
  const begun = JSON.parse(sessionStorage.getItem("yiting-sign-in") ?? "null");
  sessionStorage.removeItem("yiting-sign-in");
  // Somebody else's link would sign her in as somebody else.
  if (!begun || begun.state !== said.get("state") || !said.get("code")) {
    throw new Error(t("登录没有完成，请重新登录。", "The sign-in was not completed. Please sign in again."));
  }
  const api = new Api("citizen");
  const pair = await api.ask("POST", "/sessions/province", { body: { code: said.get("code"), state: begun.state } });
  await api.signedIn(pair);
  location.replace(`/#${begun.then.startsWith("/") ? begun.then : "/me"}`);
}

finish().catch((problem) => {
  document.getElementById("said").textContent = problem.detail ?? problem.message;
  document.getElementById("again").hidden = false;
});
