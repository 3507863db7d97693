// What she lets be used of her and for what, the certificates she is reminded of, the themes she follows.

import { t, named } from "../app/language.js";
import { button, make, put, sure, toast } from "../app/parts.js";
import { moment } from "../app/said.js";
import { certificates } from "./certificates.js";
import { api, clock, items } from "./rooms.js";

const GROUPS = {
  age: () => t("年龄", "My age"),
  residence: () => t("居住地", "Where I live"),
  family: () => t("家人", "My family"),
  company: () => t("单位", "My companies"),
  items: () => t("办过的事项", "What I had done"),
  certificates: () => t("登记的证件", "Certificates that I entered"),
  topics: () => t("关注的主题", "Themes that I follow"),
};

export async function show(root, { signal }) {
  const title = t("授权和提醒", "Consents and reminders");
  const draw = async () => {
    const [purposes, held, followed, catalogue] = await Promise.all([
      api.get("/me/purposes", {}, signal),
      api.get("/me/certificates", {}, signal),
      api.get("/me/topics", {}, signal),
      items(),
    ]);
    put(
      root,
      make("h1", {}, title),
      make("p", { className: "quiet" }, t("不同意也能正常办事。随时可以收回，收回后马上停用。", "Everything works without consent. It can be withdrawn at any time, and ends at once.")),
      ...purposes.data.map((one) => purpose(one, draw)),
      certificates(held, draw),
      themes(followed.topics, catalogue),
    );
  };
  await draw();
  return title;
}

function purpose(one, draw) {
  const address = `/me/purposes/${encodeURIComponent(one.purpose)}`;
  const ticks = one.may_use.map((group) => [group, tick(GROUPS[group]?.() ?? group, one.groups.includes(group))]);
  const give = async () => {
    const groups = ticks.filter(([, each]) => each.input.checked).map(([group]) => group);
    await api.ask("PUT", address, { body: { groups } });
    toast(t("已按您的选择授权。", "Kept as you chose."));
    await draw();
  };
  const withdraw = async () => {
    if (!(await sure(t(`收回“${one.name}”的授权？`, `Withdraw your consent to “${one.name}”?`), t("收回", "Withdraw"), t("保留", "Keep it")))) return;
    await api.ask("DELETE", address);
    toast(t("已收回。", "Withdrawn."));
    await draw();
  };
  const box = make("fieldset", { className: "card ticks", "data-purpose": one.purpose },
    make("legend", {}, one.name),
    make("p", {}, one.what),
    make("p", { className: "quiet" }, one.given_at ? t(`${moment(one.given_at, clock.now())} 已同意，可以使用：`, `You agreed (${moment(one.given_at, clock.now())}). May be used:`) : t("还没有同意，什么都不会用。勾选可以使用的：", "You have not agreed: nothing is used. Tick what may be used:")),
    ...ticks.map(([, each]) => each.label),
    make("div", { className: "choices" },
      button(one.given_at ? t("保存", "Save") : t("同意", "I agree"), give, { label: one.given_at ? t(`保存：${one.name}`, `Save: ${one.name}`) : t(`同意：${one.name}`, `I agree: ${one.name}`) }),
      one.given_at ? button(t("收回", "Withdraw"), withdraw, { kind: "plain danger", label: t(`收回：${one.name}`, `Withdraw: ${one.name}`) }) : null,
    ),
  );
  return box;
}

function themes(followed, catalogue) {
  const known = new Map(catalogue.map((item) => [item.theme, named(item, "theme_name")]));
  const ticks = [...known].map(([theme, name]) => [theme, tick(name, followed.includes(theme))]);
  return make("fieldset", { className: "card ticks" },
    make("legend", {}, t("关注的主题", "Themes that I follow")),
    ...ticks.map(([, each]) => each.label),
    make("div", { className: "choices" }, button(t("保存主题", "Save themes"), async () => {
      const topics = ticks.filter(([, each]) => each.input.checked).map(([theme]) => theme);
      await api.ask("PUT", "/me/topics", { body: { topics } });
      toast(t("已保存。", "Saved."));
    }, { kind: "plain" })),
  );
}

function tick(words, isOn) {
  const input = make("input", { type: "checkbox" });
  input.checked = isOn;
  return { input, label: make("label", { className: "tick" }, input, make("span", {}, words)) };
}
