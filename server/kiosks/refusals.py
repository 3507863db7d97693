"""Why a kiosk is not made."""

from server.errors import Refusal


class KioskNameTaken(Refusal):
    """The hall has a kiosk of this name in service."""

    status, code = 409, "kiosk_name_taken"
    sentence = ("该大厅已有同名自助机。", "The hall has a kiosk of this name already.")


class TooManyKiosks(Refusal):
    """The hall has as many kiosks in service as a hall may have."""

    status, code = 409, "too_many_kiosks"
    sentence = ("该大厅的自助机已达上限。", "The hall has as many kiosks as it may have.")
