"""Consents, certificates, rules and audiences."""

from typing import Any, Final

from server.web.example_values.shared import AT

VALUES: Final[dict[str, Any]] = {
    "purpose": "services",
    "PurposeView.name": "个性化服务",
    "PurposeView.what": "按您允许使用的信息，告诉您可以办理的事项。每天最多一条，每周最多三条。",
    "may_use": ["age", "residence", "family", "company", "items", "certificates", "topics"],
    "PurposeView.groups": ["age", "items"],
    "GiveConsent.groups": ["age", "items"],
    "PurposeView.given_at": AT,
    "expires_on": "2027-01-22",
    "CertificateView.kind": "id-card",
    "CertificateView.name": "居民身份证",
    "KindView.code": "id-card",
    "KindView.name": "居民身份证",
    "renew": "id-card-renewal",
    "remind": [90, 30, 7],
    "RuleView.code": "elder-card-60",
    "RuleView.title": "可以申领老年人优待证",
    "RuleView.item": "elder-card",
    "RuleView.reads": ["age", "items"],
    "TryAudience.reads": ["age", "items"],
    "TryAudience.when": 'age >= 60 and not done("elder-card")',
    "RuleView.when": 'age >= 60 and not done("elder-card")',
    "AudienceView.reads": ["age", "items"],
    "once_each": "ever",
    "RuleView.chain": [],
    "TryAudience.rule": None,
    "looked_at": 48210,
    "AudienceView.complete": True,
    "least": 10,
    "concerned": 1370,
    "Sampled.name": "张**",
    "Reason.zh": "您收到这条消息，因为：年龄不小于 60。",
    "Reason.en": "You get this because your age is at least 60.",
    "NoticeView.because": None,
    "NoticeView.purpose": None,
}
