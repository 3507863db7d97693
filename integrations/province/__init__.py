"""A province's identity platform, answering our ports; which shape it has is configuration."""

from integrations.province.guangdong import GuangdongAccounts, GuangdongSignIn
from integrations.province.oidc import ClaimNames, OidcSignIn

__all__ = ["ClaimNames", "GuangdongAccounts", "GuangdongSignIn", "OidcSignIn"]
