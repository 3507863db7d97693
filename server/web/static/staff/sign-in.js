// Signing in as staff, and what must be done first: another password, a device for codes.

import { t } from "../app/language.js";
import { button, card, during, facts, make, put } from "../app/parts.js";
import { api, forget } from "./room.js";

export async function show(root, { who, again }) {
  const title = who?.duty ? t("先完成这一步", "One thing first") : t("工作人员登录", "Staff sign-in");
  root.classList.add("narrow");
  const done = () => {
    forget("me");
    again();
  };
  const form = who === null ? signIn(done) : who.duty === "enrol_totp" ? await enrol(done) : newPassword(done);
  put(root, make("h1", {}, title), form);
  root.querySelector("input")?.focus();
  return title;
}

function field(words, attributes) {
  const input = make("input", { type: "text", required: "", ...attributes });
  return [make("label", { className: "field" }, make("span", {}, words), input), input];
}

/** A form that says beside it what was wrong, and does its work once at a time. */
function form(words, fields, work) {
  const wrong = make("p", { className: "bad", role: "alert" });
  const press = make("button", { className: "button" }, words);
  const box = make("form", { className: "card form" }, ...fields, wrong, press);
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    during(press, async () => {
      wrong.textContent = "";
      try {
        await work();
      } catch (problem) {
        wrong.textContent = problem.detail ?? t("没有办成，请再试一次。", "That did not work. Please try again.");
      }
    });
  });
  return box;
}

function signIn(done) {
  const [nameField, name] = field(t("用户名", "User name"), { name: "username", autocomplete: "username", autocapitalize: "none", maxlength: "64" });
  const [wordField, word] = field(t("密码", "Password"), { name: "password", type: "password", autocomplete: "current-password", maxlength: "256" });
  const [codeField, code] = field(t("动态口令或恢复码", "One-time code or recovery code"), { name: "otp", autocomplete: "one-time-code", maxlength: "32" });
  codeField.hidden = true;
  code.required = false;
  return form(t("登录", "Sign in"), [nameField, wordField, codeField], async () => {
    try {
      const otp = code.value.trim() || undefined;
      await api.signedIn(await api.ask("POST", "/staff/sessions", { body: { username: name.value.trim(), password: word.value, otp } }));
      done();
    } catch (problem) {
      if (problem.code === "otp_required") {
        codeField.hidden = false;
        code.focus();
      }
      throw problem;
    }
  });
}

function newPassword(done) {
  const [beforeField, before] = field(t("现在的密码", "Present password"), { type: "password", autocomplete: "current-password" });
  const [nextField, next] = field(t("新密码（至少 10 位）", "New password (10 characters at least)"), { type: "password", autocomplete: "new-password", minlength: "10", maxlength: "256" });
  return form(t("修改密码", "Change password"), [beforeField, nextField], async () => {
    await api.ask("POST", "/staff/me/password", { body: { password: before.value, new_password: next.value } });
    await api.renew();
    done();
  });
}

async function enrol(done) {
  const { secret } = await api.ask("POST", "/staff/me/totp");
  const [codeField, code] = field(t("验证器上的 6 位数字", "The 6 digits it shows"), { inputmode: "numeric", autocomplete: "one-time-code", maxlength: "6" });
  const box = form(t("确认", "Confirm"), [
    make("p", {}, t("您的账号要用动态口令。把这个密钥加到手机验证器里，再填它显示的数字。", "Your account needs one-time codes. Add this secret to an authenticator, then type what it shows.")),
    facts([t("密钥", "Secret"), secret]),
    codeField,
  ], async () => {
    const { recovery_codes: codes } = await api.ask("POST", "/staff/me/totp/confirm", { body: { otp: code.value.trim() } });
    await api.renew();
    box.replaceWith(card(t("恢复码：只显示这一次", "Recovery codes: shown this once"),
      make("p", {}, t("手机不在身边时，每个可登录一次。请抄下来收好。", "Each signs you in once without your device. Write them down.")),
      make("ul", { className: "codes" }, ...codes.map((one) => make("li", {}, make("code", {}, one)))),
      button(t("抄好了", "I have them"), done),
    ));
  });
  return box;
}
