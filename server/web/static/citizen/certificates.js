// Certificates she entered, so as to be reminded before they expire; no number is asked for.

import { t } from "../app/language.js";
import { button, card, make, toast } from "../app/parts.js";
import { api } from "./rooms.js";

/** What she entered, each to be forgotten, and entering another; `draw` shows it anew. */
export function certificates({ data, kinds }, draw) {
  return card(t("登记的证件", "My certificates"),
    data.length === 0
      ? make("p", { className: "quiet" }, t("还没有登记。登记到期日并同意“证件到期提醒”，到期前会告诉您。", "None yet. Enter when one expires, and agree to reminders, to be told before."))
      : make("ul", { className: "rows" }, ...data.map((one) => make("li", {},
          make("span", {},
            make("strong", {}, one.name),
            make("span", { className: "quiet" }, one.expires_on ? t(`${one.expires_on} 到期`, `expires ${one.expires_on}`) : t("长期有效", "does not expire")),
          ),
          button(t("删除", "Forget"), async () => {
            await api.ask("DELETE", `/me/certificates/${encodeURIComponent(one.kind)}`);
            await draw();
          }, { kind: "plain small", label: t(`删除 ${one.name}`, `Forget ${one.name}`) }),
        ))),
    kinds.length === 0 ? null : entering(kinds, draw),
  );
}

function entering(kinds, draw) {
  const kind = make("select", { id: "certificate" }, ...kinds.map((one) => make("option", { value: one.code }, one.name)));
  const until = make("input", { type: "date", id: "expires-on" });
  return make("details", {}, make("summary", {}, t("登记证件", "Enter a certificate")),
    make("div", { className: "field" }, make("label", { for: "certificate" }, t("哪种证件", "Which")), kind),
    make("div", { className: "field" }, make("label", { for: "expires-on" }, t("到期日（长期有效不用填）", "Expires on (leave empty if it does not)")), until),
    button(t("登记", "Enter"), async () => {
      await api.ask("PUT", `/me/certificates/${encodeURIComponent(kind.value)}`, { body: { expires_on: until.value || null } });
      toast(t("已登记。", "Entered."));
      await draw();
    }),
  );
}
