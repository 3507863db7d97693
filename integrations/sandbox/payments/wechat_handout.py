"""Where the sandbox's WeChat Pay applies for bills and hands them out."""

import gzip
import hashlib
import secrets
from collections import OrderedDict
from datetime import date
from typing import Final

from sanic import HTTPResponse, Request

from integrations.sandbox.payments.till import Till
from integrations.sandbox.payments.wechat_bills import fund_bill, trade_bill
from integrations.sandbox.payments.wechat_wire import Told, refuse, say
from integrations.sandbox.settings import SandboxSettings

_MOST_FILES: Final = 50


class Handout(Told):
    """A bill's file, which is not signed; `wrongly`: its last byte is another."""

    def sealed(self, *_: object) -> HTTPResponse:
        """Return the file as it is, or damaged."""
        whole = self.content
        self.body = whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:] if self.wrongly else whole
        self.headers["Content-Type"] = "application/octet-stream"
        return self


class BillHandout:
    """Makes bills of any day up to now, so that a demo need not wait for tomorrow at ten."""

    def __init__(self, settings: SandboxSettings, till: Till) -> None:
        self._settings = settings
        self._till = till
        self._files: OrderedDict[str, bytes] = OrderedDict()

    def trades(self, request: Request) -> Told:
        """Answer an application for a trade bill."""
        day = _day(request)
        if day is None or request.args.get("bill_type", "ALL") != "ALL":
            return refuse("PARAM_ERROR")
        lines = list(self._till.bills.lines("wechat", day))
        if not lines:
            return refuse("NO_STATEMENT_EXIST")
        ours = self._settings
        return self._made(request, trade_bill(lines, ours.wechat_app_id, ours.wechat_mch_id))

    def funds(self, request: Request) -> Told:
        """Answer an application for a fund-flow bill."""
        day = _day(request)
        if day is None or request.args.get("account_type", "BASIC") != "BASIC":
            return refuse("PARAM_ERROR")
        lines = list(self._till.bills.lines("wechat", day, "funds"))
        return self._made(request, fund_bill(lines)) if lines else refuse("NO_STATEMENT_EXIST")

    def file(self, request: Request) -> Told:
        """Hand out a bill that was applied for."""
        content = self._files.get(request.args.get("token", ""))
        return refuse("RESOURCE_NOT_EXISTS") if content is None else Handout(content)

    def _made(self, request: Request, bill: bytes) -> Told:
        token = secrets.token_urlsafe(24)
        packed = request.args.get("tar_type") == "GZIP"
        self._files[token] = gzip.compress(bill) if packed else bill
        if len(self._files) > _MOST_FILES:
            self._files.popitem(last=False)
        address = f"{request.scheme}://{request.host}/v3/billdownload/file?token={token}"
        sha1 = hashlib.sha1(bill, usedforsecurity=False).hexdigest()
        return say({"hash_type": "SHA1", "hash_value": sha1, "download_url": address})


def _day(request: Request) -> date | None:
    try:
        return date.fromisoformat(request.args.get("bill_date", ""))
    except ValueError:
        return None
