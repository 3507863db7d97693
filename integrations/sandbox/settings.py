"""What can be set about the sandbox."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Accounts the sandbox knows and the lifetimes and limits it keeps; defaults serve the demo."""

    wechat_app_id: str = "wx1f0e2d3c4b5a6978"
    wechat_secret: str = field(default="yiting-demo-wechat-secret-000000", repr=False)
    # The Open Platform account that owns the mini-program; without one there is no unionid.
    wechat_union_account: str | None = "yiting-demo-open-platform"

    # Stays the same over restarts, so that the same person keeps the same ids.
    identity_key: str = field(default="yiting-demo-identity", repr=False)

    code_life_s: float = 300.0
    token_life_s: float = 7200.0
    token_overlap_s: float = 300.0

    most_personas: int = 100_000
    most_codes: int = 500_000
    most_sent: int = 50_000
