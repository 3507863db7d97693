"""The platforms, played locally. For demonstrations and tests only: never for real people.

It keeps to the platforms' published contracts, so that our vendor code meets here what it will
meet outside, and adds `/_sandbox/*` for asking it for people, outages and what it was sent.
Everything lives in memory and is bounded; people and codes are forgotten when it stops, while a
person's ids come out the same again from their id number.
"""

from integrations.sandbox.create import create_sandbox
from integrations.sandbox.settings import SandboxSettings

__all__ = ["SandboxSettings", "create_sandbox"]
