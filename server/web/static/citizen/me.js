// Who she is here, her devices and consents, and the ways out.

import { t, named } from "../app/language.js";
import { button, card, facts, forgetDrafts, go, make, put, sure, toast } from "../app/parts.js";
import { moment } from "../app/said.js";
import { forget } from "./offline.js";
import { api, clock } from "./rooms.js";

const LEVELS = [() => t("已登录", "Signed in"), () => t("已验证手机号", "Phone confirmed"), () => t("已实名", "Real name"), () => t("实名并已刷脸", "Real name and face")];
const CHANNELS = { wechat: () => t("微信", "WeChat"), alipay: () => t("支付宝", "Alipay"), province: () => t("省统一身份认证", "the province"), browser: () => t("浏览器", "browser") };

export async function show(root, { signal }) {
  const draw = async () => {
    const [me, devices, consents] = await Promise.all([
      api.get("/me", {}, signal),
      api.get("/me/devices", {}, signal),
      api.get("/me/consents", {}, signal),
    ]);
    put(
      root,
      make("h1", {}, me.name ?? t("我的", "Me")),
      facts(
        [t("身份", "Identity"), LEVELS[me.assurance_level]?.()],
        [t("证件号", "Id number"), me.id_number],
        [t("手机", "Phone"), me.phone],
        [t("登录方式", "Signs in by"), me.channels.map((one) => CHANNELS[one]?.() ?? one).join(t("、", ", "))],
      ),
      make("div", { className: "choices" }, go(t("我的号和预约", "My visits"), "#/visits", "plain"), go(t("办件进度", "My cases"), "#/cases", "plain"), go(t("缴费单", "Bills"), "#/bills", "plain"), go(t("家人和单位", "Family and companies"), "#/family", "plain"), go(t("怎么通知我", "How I am told"), "#/preferences", "plain"), go(t("授权和提醒", "Consents and reminders"), "#/consents", "plain")),
      consented(consents.data, draw),
      signedInAt(devices.data, draw),
      ways(),
    );
  };
  await draw();
  return t("我的", "Me");
}

const consented = (consents, draw) => consents.length === 0 ? null : card(t("已授权的系统", "Systems you let in"), make("ul", { className: "rows" }, ...consents.map((one) => make("li", {},
  make("span", {}, make("strong", {}, named(one, "client_name")), make("span", { className: "quiet" }, moment(one.given_at, clock.now()))),
  button(t("收回", "Withdraw"), async () => {
    await api.ask("DELETE", `/me/consents/${encodeURIComponent(one.client)}`);
    await draw();
  }, { kind: "plain small", label: t(`收回 ${named(one, "client_name")}`, `Withdraw ${named(one, "client_name")}`) }),
))));

const signedInAt = (devices, draw) => card(t("登录的设备", "Signed-in devices"), make("ul", { className: "rows" }, ...devices.map((one) => make("li", {},
  make("span", {}, make("strong", {}, deviceNamed(one)), make("span", { className: "quiet" }, moment(one.last_seen_at ?? one.started_at, clock.now()))),
  one.current ? make("span", { className: "state" }, t("本机", "This one")) : button(t("退出", "End"), async () => {
    await api.ask("DELETE", `/me/devices/${one.id}`);
    await draw();
  }, { kind: "plain small", label: t(`退出 ${deviceNamed(one)}`, `End ${deviceNamed(one)}`) }),
))), devices.length > 1 ? button(t("退出其他全部设备", "End all others"), async () => {
  await api.ask("POST", "/me/devices/end-others");
  await draw();
}, { kind: "plain" }) : null);

// What browsers and apps call themselves, in the order in which one hides behind another.
const DEVICES = [[/MicroMessenger|WeChat/i, () => t("微信", "WeChat")], [/Alipay/i, () => t("支付宝", "Alipay")], [/Edg/, () => "Edge"], [/Firefox/, () => "Firefox"], [/Chrome/, () => "Chrome"], [/Safari/, () => "Safari"]];
const SYSTEMS = [[/HarmonyOS/i, "HarmonyOS"], [/Android/, "Android"], [/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Windows/, "Windows"], [/Mac OS/, "Mac"], [/Linux/, "Linux"]];

/** By which door, and on what; a device that says nothing we know is told as it calls itself. */
function deviceNamed({ channel, device }) {
  const browser = DEVICES.find(([sign]) => sign.test(device ?? ""))?.[1]();
  const system = SYSTEMS.find(([sign]) => sign.test(device ?? ""))?.[1];
  const on = [browser, system].filter(Boolean).join(" ") || (device || t("未知设备", "unknown device")).slice(0, 40);
  return `${CHANNELS[channel]?.() ?? channel} · ${on}`;
}

function ways() {
  return card(t("我的数据", "My data"), make("div", { className: "choices" },
    button(t("导出我的数据", "Export my data"), download, { kind: "plain" }),
    button(t("退出登录", "Sign out"), async () => {
      await api.signOut();
      forget();
      forgetDrafts();
      location.hash = "#/";
    }, { kind: "plain" }),
    button(t("注销账户", "Leave for good"), async () => {
      if (!(await sure(t("注销会删除您的资料，正在排的号也会退掉，不能恢复。", "Your data is deleted and your numbers are given up. This cannot be undone."), t("注销", "Leave for good")))) return;
      await api.ask("DELETE", "/me");
      forget();
      forgetDrafts();
      toast(t("已注销。", "Your account is gone."));
      location.hash = "#/";
    }, { kind: "plain danger" }),
  ));
}

async function download() {
  const said = await api.get("/me/export");
  const address = URL.createObjectURL(new Blob([JSON.stringify(said, null, 2)], { type: "application/json" }));
  const link = make("a", { href: address, download: "yiting.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
