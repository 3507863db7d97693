"""Bundles and visits."""

from typing import Any, Final

from server.web.example_values.shared import AT, ID

_BUNDLE = "孩子出生后的入户、医保、社保卡和生育津贴一次办齐。"
_BUNDLE_EN = (
    "Household registration, medical insurance, social security card and allowance at once."
)

VALUES: Final[dict[str, Any]] = {
    "bundle": "newborn",
    "BundleSummary.code": "newborn",
    "BundleDetail.code": "newborn",
    "BundleSummary.name": "新生儿出生一件事",
    "BundleDetail.name": "新生儿出生一件事",
    "BundleSummary.name_en": "A new baby",
    "BundleDetail.name_en": "A new baby",
    "BundleSummary.guide": _BUNDLE,
    "BundleDetail.guide": _BUNDLE,
    "BundleSummary.guide_en": _BUNDLE_EN,
    "BundleDetail.guide_en": _BUNDLE_EN,
    "BundleQuery.cursor": "newborn",
    "StopOfBundle.item": "newborn-medical",
    "StopOfBundle.name": "新生儿参加基本医疗保险登记",
    "StopOfBundle.name_en": "Newborn: enrolment in basic medical insurance",
    "StopOfBundle.after": ["birth-household"],
    "Needed.name": "居民身份证",
    "Needed.name_en": "Resident identity card",
    "Needed.kind": "original",
    "notes": [],
    "notes_en": [],
    "Needed.items": ["birth-household", "newborn-medical"],
    "FormField.code": "child-name",
    "FormField.name": "新生儿姓名",
    "FormField.name_en": "The child's name",
    "FormField.kind": "text",
    "required": True,
    "most": 30,
    "choices": [],
    "Choice.value": "girl",
    "Choice.name": "女",
    "Choice.name_en": "Girl",
    "SignIn.items": None,
    "SignIn.form": {"child-name": "林小满", "child-sex": "girl", "born-on": "2026-11-01"},
    "VisitDetail.form": {"child-name": "林小满", "child-sex": "girl", "born-on": "2026-11-01"},
    "VisitSummary.state": "open",
    "VisitView.state": "open",
    "VisitDetail.state": "open",
    "begun_at": AT,
    "ended_at": None,
    "waiting_for": None,
    "VisitSummary.now": ID,
    "VisitView.now": ID,
    "VisitDetail.now": ID,
    "StopView.item": "birth-household",
    "StopView.name": "新生儿出生入户登记",
    "StopView.name_en": "Household registration of a newborn",
    "StopView.state": "waiting",
    "StopView.reason": None,
    "StopView.after": [],
    "StopView.number": "B007",
    "StopView.line": "B",
    "StopView.counter": None,
    "Skip.item": "maternity-allowance",
}
