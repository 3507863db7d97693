// Signing in: at the province's identity platform, and back. Who came from where is kept in this tab.

import { t } from "../app/language.js";
import { button, card, make, put } from "../app/parts.js";
import { api } from "./rooms.js";

export async function show(root, { query }) {
  const then = query.get("then") || "/me";
  if (await api.token()) {
    location.replace(`#${then}`);
    return t("登录", "Sign in");
  }
  put(
    root,
    make("h1", {}, t("登录", "Sign in")),
    card(null,
      make("p", {}, t("用省统一身份认证登录，一次登录，取号、预约、缴费都能用。", "Sign in with the province's identity platform: once, for numbers, appointments and bills.")),
      button(t("去登录", "Sign in"), async () => {
        const { authorize_url: address, state } = await api.get("/sessions/province/authorize");
        sessionStorage.setItem("yiting-sign-in", JSON.stringify({ state, then }));
        location.assign(address);
      }),
      make("p", { className: "quiet" }, t("从微信、支付宝小程序进来的，已经登录。", "Who comes from the WeChat or Alipay mini-program is signed in already.")),
    ),
  );
  return t("登录", "Sign in");
}
