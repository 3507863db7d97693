"""The service that knows which name belongs to which id number, answering our ports."""

from integrations.identity.real_name import RealNameService

__all__ = ["RealNameService"]
