"""What can be set about the sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Accounts the sandbox knows and the lifetimes and limits it keeps; defaults serve the demo."""

    wechat_app_id: str = "wx1f0e2d3c4b5a6978"
    wechat_secret: str = field(default="yiting-demo-wechat-secret-000000", repr=False)
    # The Open Platform account that owns the mini-program; without one there is no unionid.
    wechat_union_account: str | None = "yiting-demo-open-platform"

    # Templates of subscription messages; None knows every one. How many are sent in a day.
    wechat_templates: frozenset[str] | None = None
    # Which fields a template has, where the sandbox is to hold a message to it.
    wechat_template_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    wechat_messages_a_day: int = 30_000_000
    # Whether nothing is sent but what was allowed at /_sandbox/wechat/subscribe.
    wechat_strict_prompts: bool = False
    # What message push is signed and sealed with.
    wechat_push_token: str = field(default="yitingDemoPushToken", repr=False)
    wechat_push_aes_key: str = field(
        default="eWl0aW5nLWRlbW8tbWVzc2FnZS1wdXNoLWtleS0wMDA", repr=False
    )

    wechat_mch_id: str = "1900008888"
    wechat_mch_serial: str = "3E8A1F0C5D27B4961C0A5E7788D2F94B6A1302C7"
    wechat_api_v3_key: str = field(default="yiting-demo-wechat-pay-v3-key-00", repr=False)
    # RSA keys in PEM; without them the sandbox makes its own, and tells ours at
    # /_sandbox/wechatpay/keys.
    wechat_mch_public_key: str | None = None
    wechat_pay_private_key: str | None = field(default=None, repr=False)
    wechat_pay_key_id: str = "PUB_KEY_ID_0119000088882026112300000001"
    # What callbacks are signed with, and answers to those who name no key.
    wechat_pay_signs_with: Literal["key", "certificate"] = "key"

    alipay_app_id: str = "2021004100000001"
    # RSA keys in PEM. Without them the sandbox makes its own when they are first needed, and
    # tells them at /_sandbox/alipay/keys: our app's whole pair, of its own only the public key.
    alipay_app_public_key: str | None = None
    alipay_private_key: str | None = field(default=None, repr=False)
    # Encrypts phone payloads: 16 bytes in Base64.
    alipay_aes_key: str = field(default="eWl0aW5nLWRlbW8tYWVzIQ==", repr=False)
    # What the token method tells: older apps get only a user_id, new ones only an open_id.
    alipay_ids: Literal["both", "open_id", "user_id"] = "both"
    alipay_union_account: str | None = "yiting-demo-open-platform"

    # Whose account with Alipay takes the money.
    alipay_seller_id: str = "2088102146225135"

    unionpay_merchant: str = "777290058110048"
    # What UnionPay and the merchant sign with, and the chain of certificates between: a folder that
    # unionpay_keys.py fills. Without one the sandbox makes its own and tells our half of it.
    unionpay_keys: Path | None = None
    # A folder with the secret of the bank whose counter the sandbox plays; see bank_counter.py.
    bank_keys: Path | None = None

    province_client_id: str = "yiting-demo"
    province_secret: str = field(default="yiting-demo-province-secret", repr=False)
    # Where the province may send people back; without any, to every http(s) address.
    province_redirects: tuple[str, ...] = ()

    identity_app_key: str = "yiting-demo-identity"
    identity_secret: str = field(default="yiting-demo-identity-secret", repr=False)
    identity_a_minute: int = 200  # questions about one number

    sms_app_key: str = "yiting-demo-sms"
    sms_secret: str = field(default="yiting-demo-sms-secret", repr=False)
    aliyun_sms_key: str = "yiting-demo-aliyun-sms"
    aliyun_sms_secret: str = field(default="yiting-demo-aliyun-sms-secret", repr=False)
    tencent_sms_id: str = "yiting-demo-tencent-sms"
    tencent_sms_secret: str = field(default="yiting-demo-tencent-sms-secret", repr=False)
    sms_sign_name: str = "一厅通"
    # None knows every template; else the names of those approved.
    sms_templates: frozenset[str] | None = None
    # Phones whose owners want no messages.
    sms_blocked: frozenset[str] = frozenset()
    sms_a_minute: int = 10

    amap_key: str = "yiting-demo-amap-key-0000000000"
    amap_secret: str = field(default="yiting-demo-amap-secret", repr=False)
    tencent_maps_key: str = "YITIN-GDEMO-TENCE-NTMAP-SKEY0-00000"
    tencent_maps_secret: str = field(default="yiting-demo-tencent-maps-secret", repr=False)
    maps_a_day: int = 1_000_000  # questions to each map service

    # Stays the same over restarts, so that the same person keeps the same ids.
    identity_key: str = field(default="yiting-demo-identity", repr=False)

    code_life_s: float = 300.0
    token_life_s: float = 7200.0
    token_overlap_s: float = 300.0

    most_personas: int = 100_000
    most_codes: int = 500_000
    most_sent: int = 50_000
    most_orders: int = 200_000
