"""Who I really am, over HTTP: my phone, my real name, my face."""

from typing import Annotated, Any

import msgspec
from sanic import Blueprint, Request

from models.identifiers import IdType
from scheduler.calendar import business_day
from server.auth import CITIZEN, Principal
from server.errors import (
    LevelTooLow,
    NotAvailable,
    NotFound,
    TooManyRequests,
    Unavailable,
    WrongStateRefusal,
)
from server.http.endpoint import address_of, endpoint
from server.http.limits import EXPORT, IDENTITY
from server.identity import leaving, phones, real_names, telling
from server.identity.joining import settle
from server.identity.otp import Sms, asked_openly, one_time_codes
from server.identity.refusals import (
    FaceCheckNeeded,
    FaceNotPassed,
    IdentityFixed,
    IdentityMismatch,
    LastChannel,
    PhoneRefused,
    ProofRefused,
    SmsCodeWrong,
)
from server.identity.views import CitizenView, citizen_view
from server.services import Services, services

EXPORTED = {
    "id": "019ab1c2-3d4e-7f50-8a9b-0c1d2e3f4a5b",
    "name": "林晓",
    "id_type": "resident_id",
    "id_number": "441900199003070016",
    "phone": "13812345678",
    "residence": "dg-24",
    "assurance_level": 2,
    "channels": [{"platform": "wechat", "subject": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}],
    "sign_ins": [{"channel": "wechat", "started_at": "2026-11-23T09:30:00+08:00"}],
    "consents": [{"client": "dg-social-security", "facts": ["name"]}],
    "tickets": [{"number": "A023", "state": "finished", "hall": "dg-24", "day": "2026-11-23"}],
    "visits": [{"bundle": "newborn", "state": "finished", "hall": "dg-24", "day": "2026-11-23"}],
    "appointments": [{"state": "booked", "hall": "dg-24", "day": "2026-11-24"}],
    "bills": [{"bill_no": "2026112300000042", "amount_fen": 1000, "state": "paid"}],
    "family": [{"side": "acting", "relation": "child", "name": "林小满", "state": "active"}],
}

bp = Blueprint("identity", url_prefix="/api/v1")

PhoneText = Annotated[str, msgspec.Meta(min_length=5, max_length=24, examples=["13812345678"])]


class WeChatPhoneCode(msgspec.Struct, tag_field="channel", tag="wechat", frozen=True):
    """The code that WeChat's phone button gave."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class AlipayPhonePayload(msgspec.Struct, tag_field="channel", tag="alipay", frozen=True):
    """The whole of `res.response` that `my.getPhoneNumber` gave."""

    encrypted: Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]


class SmsCode(msgspec.Struct, tag_field="channel", tag="sms", frozen=True):
    """The code that was sent to this phone."""

    phone: PhoneText
    otp: Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$", examples=["123456"])]


class OtpWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Send a code to this phone."""

    phone: PhoneText


class OtpSent(msgspec.Struct, frozen=True):
    """A code is on its way, and good for so long."""

    expires_in: int


class RealName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """My name and my document; with a face check's id when one was passed for both."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60, examples=["林晓"])]
    id_number: Annotated[str, msgspec.Meta(min_length=5, max_length=40)]
    id_type: IdType = "resident_id"
    certify_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None


class FaceCheckWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose face is to be looked at."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    id_number: Annotated[str, msgspec.Meta(min_length=15, max_length=24)]


class FaceCheckView(msgspec.Struct, frozen=True):
    """A face check that waits: open `url` in the mini-program, then send `certify_id`."""

    certify_id: str
    url: str


@endpoint(
    bp,
    "POST",
    "/me/phone/otp",
    summary=("发送短信验证码", "Send me a code"),
    tag="identity",
    guard=CITIZEN,
    body=OtpWanted,
    returns=OtpSent,
    refuses=[NotAvailable, PhoneRefused, TooManyRequests, Unavailable],
)
async def send_otp(request: Request, who: Principal, body: OtpWanted) -> OtpSent:
    """Send six digits by SMS, good for five minutes and five tries."""
    room = services(request)
    phone = phones.read_typed(body.phone)
    index = room.sealer.blind_index("phone", phone)
    counted = asked_openly(who.id, index, address_of(request))
    await one_time_codes(room).send(who.id, index, Sms(phone, index), tries=counted)
    return OtpSent(300)


@endpoint(
    bp,
    "POST",
    "/me/phone",
    summary=("绑定手机号", "My phone"),
    tag="identity",
    guard=CITIZEN,
    body=WeChatPhoneCode | AlipayPhonePayload | SmsCode,
    returns=CitizenView,
    refuses=[NotAvailable, LevelTooLow, ProofRefused, SmsCodeWrong, TooManyRequests, Unavailable],
)
async def set_phone(
    request: Request, who: Principal, body: WeChatPhoneCode | AlipayPhonePayload | SmsCode
) -> CitizenView:
    """Prove that a phone is mine: by the platform I came through, or by a code sent to it.

    The same number may be somebody else's too: numbers change hands, and join nobody.
    """
    room = services(request)
    match body:
        case SmsCode(phone=typed, otp=otp):
            phone = phones.read_typed(typed)
            index = room.sealer.blind_index("phone", phone)
            await one_time_codes(room).spend(who.id, index, otp)
        case WeChatPhoneCode(code=proof):
            phone = await _proofs(room).open("wechat", proof, who.sign_in_id)
        case AlipayPhonePayload(encrypted=proof):
            phone = await _proofs(room).open("alipay", proof, who.sign_in_id)
    await phones.keep(room.sealer, who, phone)
    return await citizen_view(who, room.sealer)


@endpoint(
    bp,
    "POST",
    "/me/face-checks",
    summary=("开始人脸核验", "Start a face check"),
    tag="identity",
    guard=CITIZEN,
    body=FaceCheckWanted,
    returns=FaceCheckView,
    status=201,
    refuses=[NotAvailable, IdentityMismatch, IdentityFixed, TooManyRequests, Unavailable],
)
async def start_face_check(
    request: Request, who: Principal, body: FaceCheckWanted
) -> FaceCheckView:
    """Start a face check for this name and resident id number."""
    room = services(request)
    room.limits.check(IDENTITY, who.id)
    claim = _claim(room, body.name, "resident_id", body.id_number)
    started = await real_names.of(room).start_face_check(who.id, claim, address_of(request))
    return FaceCheckView(started.certify_id, started.url)


@endpoint(
    bp,
    "POST",
    "/me/real-name",
    summary=("实名认证", "My real name"),
    tag="identity",
    guard=CITIZEN,
    body=RealName,
    returns=CitizenView,
    refuses=[
        NotAvailable,
        IdentityMismatch,
        FaceNotPassed,
        FaceCheckNeeded,
        IdentityFixed,
        TooManyRequests,
        Unavailable,
    ],
)
async def set_real_name(request: Request, who: Principal, body: RealName) -> CitizenView:
    """Prove who I am. The same id number through another channel makes one citizen of both.

    Then `id` is that of the account which had the number first; both sign-ins go on, and tickets
    of both are kept. Of two open tickets for one item the later is given up. A city may demand a
    face check for that (`face_check_needed`). Each channel counts for what was proven through it.
    """
    room = services(request)
    room.limits.check(IDENTITY, who.id)
    claim = _claim(room, body.name, body.id_type, body.id_number)
    address = address_of(request)
    proven = await real_names.of(room).prove(who.id, claim, body.certify_id, address)
    identified = await settle(room.sealer, who, proven, now=room.clock.now())
    await room.feed.identified(identified.was, identified.citizen_id, identified.changes)
    return await citizen_view(who, room.sealer)


@endpoint(
    bp,
    "DELETE",
    "/me/channels/<platform:str>",
    summary=("解绑登录方式", "Unlink a channel"),
    tag="identity",
    guard=CITIZEN,
    returns=CitizenView,
    refuses=[NotFound, LastChannel, LevelTooLow],
)
async def unlink_channel(request: Request, who: Principal, platform: str) -> CitizenView:
    """Unlink WeChat, Alipay or the province from me; sign-ins that came through it end.

    Where I have several accounts of the platform I came in by, it first unlinks all but mine.
    """
    room = services(request)
    await _told(room, await leaving.unlink(who, platform))
    return await citizen_view(who, room.sealer)


@endpoint(
    bp,
    "GET",
    "/me/export",
    summary=("导出我的全部信息", "Everything kept about me"),
    tag="identity",
    guard=CITIZEN,
    returns=dict[str, Any],
    example=EXPORTED,
    refuses=[LevelTooLow, TooManyRequests],
)
async def export_me(request: Request, who: Principal) -> dict[str, Any]:
    """Everything kept about me, in clear: who I am, how I come in, where I was."""
    room = services(request)
    room.limits.check(EXPORT, who.id)
    return await telling.export(room.sealer, who)


@endpoint(
    bp,
    "DELETE",
    "/me",
    summary=("注销账号", "Erase me"),
    tag="identity",
    guard=CITIZEN,
    status=204,
    refuses=[WrongStateRefusal, LevelTooLow],
)
async def erase_me(request: Request, who: Principal) -> None:
    """Erase who I am. Open tickets are given up; of past visits stays what names nobody.

    There is no way back: coming in again makes a new citizen.
    """
    room = services(request)
    await _told(room, await leaving.erase(who, now=room.clock.now()))


async def _told(room: Services, left: leaving.Left) -> None:
    await room.feed.sign_ins_ended(*left.sign_ins)
    if left.changes:
        await room.feed.changed(*left.changes)


def _claim(room: Services, name: str, id_type: IdType, id_number: str) -> real_names.Claim:
    today = business_day(room.clock.now())
    return real_names.read_claim(name, id_type, id_number, today=today)


def _proofs(room: Services) -> phones.Proofs:
    return phones.Proofs(room.platforms, room.valkey)
