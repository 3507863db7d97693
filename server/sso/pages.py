"""The pages a citizen sees on her way to a department's system: Chinese first, English below.

Nothing on them comes from elsewhere, no script or style is inline, and everything that somebody
registered or typed is escaped. Whatever changes anything is a form with a token of ours.
"""

from collections.abc import Sequence
from html import escape

import segno
from sanic.response import HTTPResponse

from models.sso import Fact
from server.sso.clients import Client
from server.sso.errors import NOT_STORED, PageError
from server.sso.phones import spaced
from server.sso.provider import Provider

HTML = "text/html"
LEARNS = {
    Fact.SUBJECT: ("您在该系统的专属编号（各系统互不相同）", "a number for you that only it knows"),
    Fact.MASKED_NAME: ("隐去部分的姓名，如“张**”", "your name, partly hidden"),
    Fact.FULL_NAME: ("您的完整姓名", "your full name"),
    Fact.PHONE: ("您的手机号码", "your phone number"),
    Fact.ID_NUMBER: ("您的证件类型和号码", "the type and number of your identity document"),
}
LEVELS = (
    ("已登录", "signed in"),
    ("已验证手机", "phone verified"),
    ("已实名", "real name verified"),
    ("已实名并刷脸", "real name and face verified"),
)


def policy(provider: Provider) -> str:
    """The pages' Content-Security-Policy.

    `form-action` also bounds where the answer to a form redirects to, all along the way, and
    departments redirect among their own hosts: so any https address, in a demo this machine too.
    """
    targets = "https:" if provider.is_https else "https: http://127.0.0.1:* http://localhost:*"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'; form-action 'self' {targets}; base-uri 'none'; frame-ancestors 'none'"
    )


def sign_in_page(
    provider: Provider, client: Client, request: str, form_token: str, code: str
) -> HTTPResponse:
    """How to sign in: a code for the phone, and waiting for it."""
    link = f"{provider.issuer}/oauth2/browser?code={code}"
    picture = segno.make(link, error="m").svg_inline(scale=5, border=2, omitsize=True)
    return _page(
        provider,
        ("登录", "Sign in"),
        f"""
        {_to_client("登录后前往", "Sign in to go on to", client)}
        <div class="qr" role="img" aria-label="登录二维码 Sign-in code">{picture}</div>
        <p class="code" aria-label="登录码 Code">{spaced(code)}</p>
        <ol class="steps">
          <li>打开“一厅通”小程序，点“扫一扫”。{_en("Open the Yiting mini-program and tap Scan.")}</li>
          <li>扫描上方二维码，或输入登录码。{_en("Scan the code above, or type it in.")}</li>
          <li>在手机上确认，本页会自动继续。{_en("Confirm on the phone; this page goes on by itself.")}</li>
        </ol>
        <p class="note" id="waiting" role="status">正在等待手机确认… {_en("Waiting for the phone…")}</p>
        {_form(request, form_token, _button("refuse", "不登录，返回", "Go back", quiet=True))}
        """,
        head="<noscript><meta http-equiv='refresh' content='4'></noscript>"
        "<script type='module' src='/assets/sso-wait.js'></script>",
    )


def consent_page(
    provider: Provider,
    client: Client,
    facts: Sequence[Fact],
    request: str,
    form_token: str,
    *,
    name: str,
    level: int,
) -> HTTPResponse:
    """What the client will learn, to agree to or to refuse."""
    learned = "".join(
        f"<li>{escape(LEARNS[fact][0])} {_en(LEARNS[fact][1])}</li>" for fact in facts
    )
    known_as = (f"您的认证等级：{LEVELS[level][0]}", f"how you are verified: {LEVELS[level][1]}")
    buttons = (
        _button("agree", "同意并继续", "Agree and go on")
        + _button("refuse", "拒绝", "Refuse", quiet=True)
        + _button("switch", "换一个账号", "Use another account", quiet=True)
    )
    return _page(
        provider,
        ("授权登录", "Allow sign-in"),
        f"""
        {_to_client("允许以下系统使用您的身份登录", "Let this system know who you are", client)}
        <p class="who">当前账号 {_en("Signed in as")} <strong>{escape(name)}</strong></p>
        <h2>它将得知 {_en("It will learn")}</h2>
        <ul class="learns">{learned}<li>{known_as[0]} {_en(known_as[1])}</li></ul>
        {_form(request, form_token, buttons)}
        <p class="quiet">同意后下次不再询问；可随时在小程序“授权管理”中取消。
        {_en("You will not be asked again, and can take this back in the mini-program at any time.")}</p>
        """,
    )


def level_page(
    provider: Provider, client: Client, request: str, form_token: str, *, has: int, needs: int
) -> HTTPResponse:
    """The client wants to know her more surely than we do."""
    wanted, had = LEVELS[needs], LEVELS[has]
    buttons = f"""
      <a class="button" href="/oauth2/continue?request={escape(request)}">已完成，继续 {_en("Done, go on")}</a>
      {_button("refuse", "返回", "Go back", quiet=True)}"""
    return _page(
        provider,
        ("需要更高的认证等级", "A higher level is needed"),
        f"""
        {_to_client("您要去的系统", "Where you are going", client)}
        <p>该系统要求“{wanted[0]}”，您目前是“{had[0]}”。请先在“一厅通”小程序中完成认证，再回到这里继续。
        {_en(f"It asks for “{wanted[1]}”; you are “{had[1]}”. Do that in the mini-program, then go on here.")}</p>
        {_form(request, form_token, buttons)}
        """,
    )


def logout_page(
    provider: Provider, client: Client | None, request: str, form_token: str
) -> HTTPResponse:
    """Whether she really wants to sign out."""
    buttons = _button("agree", "退出登录", "Sign out") + _button(
        "refuse", "保持登录", "Stay signed in", quiet=True
    )
    asks = _to_client("请求退出的系统", "Asked for by", client) if client else ""
    return _page(
        provider,
        ("退出登录？", "Sign out?"),
        f"""
        {asks}
        <p>退出后，本浏览器登录过的部门系统需要重新登录。
        {_en("Departments' systems will ask this browser to sign in again.")}</p>
        {_form(request, form_token, buttons, action="/oauth2/logout/confirm")}
        """,
    )


def handover_page(provider: Provider, link: str) -> HTTPResponse:
    """Another site's link would sign this browser in: somebody may want her in his account."""
    return _page(
        provider,
        ("继续登录？", "Go on?"),
        f"""
        <p>另一个网站想让本浏览器登录“一厅通”。只有当您刚刚在自己的小程序中这样操作时，才继续。
        {_en("Another site wants to sign this browser in. Go on only if you just did this yourself.")}</p>
        <p><a class="button" href="{escape(link)}">继续 {_en("Go on")}</a></p>
        """,
    )


def message_page(
    provider: Provider, title: tuple[str, str], sentence: tuple[str, str], *, status: int = 200
) -> HTTPResponse:
    """A page that only says something."""
    text = f"<p>{escape(sentence[0])} {_en(sentence[1])}</p>"
    return _page(provider, title, text, status=status)


def wrong_page(provider: Provider, fault: PageError) -> HTTPResponse:
    """A request that cannot go on: a sentence for her, and one for who made the link."""
    text = (
        f"<p>{escape(fault.sentence[0])} {_en(fault.sentence[1])}</p>"
        f"<p class='quiet'><code>{escape(fault.detail)}</code></p>"
    )
    return _page(provider, ("无法继续", "This cannot go on"), text, status=400)


def _page(
    provider: Provider, title: tuple[str, str], body: str, *, head: str = "", status: int = 200
) -> HTTPResponse:
    content = f"""<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="theme-color" content="#0b5c8a">
<title>{title[0]} · 一厅通</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/yiting.css">
<link rel="stylesheet" href="/assets/sso.css">
{head}
</head>
<body>
<main class="page sso">
<p class="brand"><img src="/assets/icon.svg" alt="" width="32" height="32"> 一厅通 <span lang="en">Yiting</span></p>
<h1>{title[0]} <small lang="en">{title[1]}</small></h1>
{body}
</main>
</body>
</html>
"""
    headers = {
        **NOT_STORED,
        "Content-Security-Policy": policy(provider),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return HTTPResponse(
        content, status=status, headers=headers, content_type=f"{HTML}; charset=utf-8"
    )


def _to_client(chinese: str, english: str, client: Client) -> str:
    foreign = f"<span lang='en'>{escape(client.name_en)}</span>" if client.name_en else ""
    return (
        f"<p class='client'><small>{chinese} {_en(english)}</small>"
        f"<strong>{escape(client.name)}</strong>{foreign}</p>"
    )


def _form(request: str, form_token: str, buttons: str, action: str = "/oauth2/continue") -> str:
    return (
        f"<form method='post' action='{action}'>"
        f"<input type='hidden' name='request' value='{escape(request)}'>"
        f"<input type='hidden' name='form_token' value='{escape(form_token)}'>{buttons}</form>"
    )


def _button(decision: str, chinese: str, english: str, *, quiet: bool = False) -> str:
    kind = "button second" if quiet else "button"
    return f"<button class='{kind}' name='decision' value='{decision}'>{chinese} {_en(english)}</button>"


def _en(text: str) -> str:
    return f"<span lang='en'>{escape(text, quote=False)}</span>"
