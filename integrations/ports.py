"""What we ask of the outside world, in our own words; each vendor's folder answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from integrations.ports_bank import BatchReader
from integrations.ports_message import EventReader, Messenger, ReceiptReader
from integrations.ports_payment import PaymentChannel

RefusalReason = Literal[
    "code_invalid",
    "code_used",
    "user_blocked",
    "too_often",
    "not_a_person",  # the account is a company's
    "id_invalid",  # no document of that kind has such a number
    "phone_invalid",
    "message_invalid",  # our template or its fields: asking again cannot help
    "not_wanted",  # she allows no message of this template, or none any more
    "recipient_unknown",  # the platform knows no such user of our app
]

# The same words as models.identifiers.IdType, which this room does not import.
IdType = Literal[
    "resident_id",
    "hmt_residence_permit",
    "hm_travel_permit",
    "tw_travel_permit",
    "foreigner_permanent",
    "passport",
]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who stands at the door, as one platform knows them.

    `subject` is theirs within one mini-program; `union_subject` is the same for all programs of
    one owner, where the platform tells it. `legacy_subject` is what the platform called them
    before it changed its ids, where it still tells that beside the new one: who is known by it is
    this visitor.
    """

    platform: str
    app_id: str
    subject: str
    union_subject: str | None = None
    legacy_subject: str | None = None


class SignIn(Protocol):
    """A platform that can tell who sent a one-time code."""

    async def who_is(self, code: str) -> Visitor:
        """Spend the code and name its owner, or raise PlatformRefused or PlatformUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class ProvinceVisitor(Visitor):
    """Who stands at the door, and what the province vouches for.

    `level` is ours: 0 signed in, 1 phone, 2 real name, 3 real name and face. What the province
    does not tell, or does not vouch for, is None; `id_type` and `id_number` come together.
    """

    level: int = 0
    name: str | None = field(default=None, repr=False)
    id_type: IdType | None = None
    id_number: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)


class ProvinceSignIn(Protocol):
    """The province's identity platform: an authorization code with state, nonce and PKCE.

    The caller makes `state`, `nonce` and a `code_verifier` (43 to 128 of `A-Z a-z 0-9 -._~`),
    keeps them until the citizen comes back, and compares the state before it calls `finish`.
    """

    async def begin(self, state: str, nonce: str, code_challenge: str, redirect: str) -> str:
        """Return the URL that the citizen's browser has to open.

        `code_challenge` is the unpadded base64url SHA-256 of the verifier (S256); `redirect` is
        the address registered with the province. May raise PlatformUnavailable.
        """
        ...

    async def finish(
        self, code: str, code_verifier: str, nonce: str, redirect: str
    ) -> ProvinceVisitor:
        """Spend the code and name its owner, or raise PlatformRefused or PlatformUnavailable."""
        ...


class RealNameCheck(Protocol):
    """Somebody who knows which name belongs to which id number."""

    async def matches(self, name: str, id_type: IdType, id_number: str) -> bool:
        """Tell whether that document is that person's; an unknown document is nobody's.

        Raises PlatformRefused (`id_invalid`, `too_often`) or PlatformUnavailable.
        """
        ...


class SmsSender(Protocol):
    """A gateway to the carriers."""

    async def send(
        self, phone: str, template: str, params: Mapping[str, str], *, reference: str | None = None
    ) -> str:
        """Send one message and return the gateway's id for it.

        The same `reference` (1 to 64 of `A-Z a-z 0-9 -_`) again within a day gets the first id
        and sends nothing, so a job that lost the answer may ask again. Raises PlatformRefused
        (`phone_invalid`, `user_blocked`, `too_often`, `message_invalid`) or PlatformUnavailable.
        """
        ...


class PhoneReader(Protocol):
    """A platform that vouches for a phone number through something its app hands the phone."""

    async def phone_of(self, proof: str) -> str:
        """Return the number; any but a mainland one has its country in front, as `+852…`.

        The plus tells it from a mainland number: +1 381 234 5678 has the digits of 138 1234 5678.
        Raises PlatformRefused or PlatformUnavailable. A proof may open more than once and need not
        say whose phone it came from; it is the caller who knows who brought it.
        """
        ...


@dataclass(frozen=True, slots=True)
class FaceCheckStarted:
    """A face check that waits for a person: its id, and the URL their phone has to open."""

    certify_id: str
    url: str


class FaceCheck(Protocol):
    """A platform that compares a person before the camera with a name and an id number."""

    async def start(self, name: str, id_number: str) -> FaceCheckStarted:
        """Start a check, or raise PlatformRefused or PlatformUnavailable."""
        ...

    async def passed(self, certify_id: str) -> bool:
        """Tell whether the person passed, or raise PlatformRefused or PlatformUnavailable.

        The answer is about the name and number that this check was started with. The caller keeps
        them, and who started it: an id brought by somebody else proves nothing about them.
        """
        ...


# The same words as scheduler.travel.Travel, which this room does not import.
TravelMode = Literal["walk", "bike", "drive", "transit"]


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A point in degrees of GCJ-02, the datum of all Chinese maps."""

    lat: float
    lng: float


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """What a map service takes an address for. `exact`: a house or a door, not a street or town."""

    name: str
    district: str
    point: MapPoint
    exact: bool


class Maps(Protocol):
    """A map service: it knows roads, and where addresses are."""

    async def travel_times_s(
        self, origin: MapPoint, destinations: Sequence[MapPoint], mode: TravelMode
    ) -> list[int | None]:
        """Seconds from one place to each of several, now; None where it knows no way.

        A way to travel that the service does not reckon with is a way it knows nowhere. Raises
        PlatformUnavailable.
        """
        ...

    async def find(self, address: str, *, city: str | None = None) -> list[FoundPlace]:
        """The places that an address may be, best first; none where it knows no such address.

        `city` is a name or a code that narrows it down. Raises PlatformUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Platforms:
    """Everybody we may ask. What we have no account for is not in the mapping, or None.

    `doors` and `phones` go by the platform's name, as in the API's paths: wechat, alipay; so do
    `payments`, by the channel's, and `messengers`, which also have `sms`; `events` read what the
    platforms push to us, `receipts` (gateway, aliyun, tencent) what became of text messages.
    `batches` reads what bank counters took for us. `province_redirect` is the address that the
    province sends people back to, `payment_host` where a browser posts the signed forms of the
    channels that are paid at their own page.
    """

    doors: Mapping[str, SignIn] = field(default_factory=dict)
    phones: Mapping[str, PhoneReader] = field(default_factory=dict)
    faces: FaceCheck | None = None
    province: ProvinceSignIn | None = None
    province_redirect: str = ""
    real_names: RealNameCheck | None = None
    sms: SmsSender | None = None
    maps: Maps | None = None
    payments: Mapping[str, PaymentChannel] = field(default_factory=dict)
    payment_host: str | None = None
    batches: BatchReader | None = None
    messengers: Mapping[str, Messenger] = field(default_factory=dict)
    events: Mapping[str, EventReader] = field(default_factory=dict)
    receipts: Mapping[str, ReceiptReader] = field(default_factory=dict)


class PlatformRefused(Exception):
    """The platform looked and said no; the caller has to come with something else.

    `reason` is ours and stable; `platform_code` is the platform's own, for the log.
    """

    def __init__(self, reason: RefusalReason, platform_code: str | None = None) -> None:
        super().__init__(reason, platform_code)
        self.reason = reason
        self.platform_code = platform_code


class PlatformUnavailable(Exception):
    """No usable answer came, through no fault of the caller; worth asking again later."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


class NotDone(PlatformUnavailable):
    """No usable answer came, and what was asked was surely not done."""
