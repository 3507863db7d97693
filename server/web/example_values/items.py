"""Items."""

from typing import Any, Final

_GUIDE = "社会保障卡遗失、损坏或信息变更时申请补领、换领。一般当场领取新卡。"
_GUIDE_EN = "A new social security card when the old one is lost, damaged or out of date."

VALUES: Final[dict[str, Any]] = {
    "item": "social-card-renewal",
    "ItemSummary.code": "social-card-renewal",
    "ItemDetail.code": "social-card-renewal",
    "ItemSummary.name": "社会保障卡补领、换领",
    "ItemDetail.name": "社会保障卡补领、换领",
    "ItemSummary.name_en": "Social security card: replacement or renewal",
    "ItemDetail.name_en": "Social security card: replacement or renewal",
    "official_code": "11441900YT0000011G2000100200100",
    "department": "hrss",
    "department_name": "东莞市人力资源和社会保障局",
    "theme": "social-insurance",
    "theme_name": "社会保险",
    "theme_name_en": "Social insurance",
    "ItemSummary.audience": ["anyone"],
    "ItemDetail.audience": ["anyone"],
    "audience": "anyone",
    "fee_fen": 0,
    "pay_first": False,
    "level_required": 1,
    "minutes": 10,
    "guide": _GUIDE,
    "guide_en": _GUIDE_EN,
    "copies": 1,
    "MaterialView.name": "居民身份证",
    "MaterialView.name_en": "Resident identity card",
    "MaterialView.note": "",
    "MaterialView.note_en": "",
    "q": "社保卡",
}
