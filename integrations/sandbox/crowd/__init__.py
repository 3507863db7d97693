"""A simulated crowd: citizens, clerks and managers, who do all that they can through the HTTP API.

For demonstrations and load checks. The people are invented by the sandbox; nothing here knows the
server from within. With one seed, everybody decides alike in every run; how those decisions
interleave depends on the network.
"""

from integrations.sandbox.crowd.arriving import NoAddress, NoCity, require_city
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.plan import CrowdPlan
from integrations.sandbox.crowd.running import simulate_crowd

__all__ = ["CrowdPlan", "Figures", "NoAddress", "NoCity", "require_city", "simulate_crowd"]
