"""Real names by face through Alipay, against the sandbox."""

import logging
import traceback

import pytest
from structlog.testing import capture_logs

from integrations.alipay import AlipayFaceCheck
from integrations.ports import PlatformRefused, PlatformUnavailable
from tests.integrations.alipay_running import QUERY, START, RunningAlipay

ID_NUMBER = "99000119900307001X"


def checks(alipay: RunningAlipay) -> AlipayFaceCheck:
    return AlipayFaceCheck(alipay.gateway, "https://yiting.example/face")


async def test_who_shows_the_right_face_passes(either_alipay: RunningAlipay) -> None:
    alipay = either_alipay
    await alipay.sandbox.persona(ID_NUMBER, name="张三")
    started = await checks(alipay).start("张三", ID_NUMBER)
    assert not await checks(alipay).passed(started.certify_id)
    assert await alipay.stand_before_the_camera(started.certify_id)
    assert await checks(alipay).passed(started.certify_id)


async def test_who_shows_another_face_fails(alipay: RunningAlipay) -> None:
    await alipay.sandbox.persona(ID_NUMBER, name="张三")
    started = await checks(alipay).start("张三", ID_NUMBER)
    assert not await alipay.stand_before_the_camera(started.certify_id, "fail")
    assert not await checks(alipay).passed(started.certify_id)
    assert await alipay.stand_before_the_camera(started.certify_id)
    assert await checks(alipay).passed(started.certify_id)


async def test_a_name_that_is_not_the_numbers_fails(alipay: RunningAlipay) -> None:
    await alipay.sandbox.persona(ID_NUMBER, name="张三")
    for name, number in (("李四", ID_NUMBER), ("张三", "990001199003070028")):
        started = await checks(alipay).start(name, number)
        assert not await alipay.stand_before_the_camera(started.certify_id)
        assert not await checks(alipay).passed(started.certify_id)


async def test_the_url_opens_a_page_only_as_we_signed_it(either_alipay: RunningAlipay) -> None:
    alipay = either_alipay
    started = await checks(alipay).start("张三", ID_NUMBER)
    page = await alipay.http.get(started.url)
    assert page.headers["content-type"].startswith("text/html")
    assert started.certify_id in page.text
    assert "人脸核身" in page.text
    tampered = await alipay.http.get(started.url.replace(started.certify_id, "0" * 32))
    assert "isv.invalid-signature" in tampered.text
    unknown = alipay.gateway.page_url("alipay.user.certify.open.certify", {"certify_id": "x"})
    assert "OPEN_CERTIFY_BILL_NOT_EXIST" in (await alipay.http.get(unknown)).text


@pytest.mark.parametrize("certify_id", ["0" * 32, "", "x" * 65, "a b", "张三", '"},{'])
async def test_a_check_nobody_started_is_refused(alipay: RunningAlipay, certify_id: str) -> None:
    with pytest.raises(PlatformRefused) as no:
        await checks(alipay).passed(certify_id)
    assert no.value.reason == "code_invalid"


@pytest.mark.parametrize(
    ("name", "id_number"),
    [
        ("", ID_NUMBER),
        ("张" * 65, ID_NUMBER),
        ("\ud800", ID_NUMBER),
        ("张\n三", ID_NUMBER),
        ("张三", ""),
        ("张三", "A1234567"),
        ("张三", "9" * 19),
    ],
)
async def test_what_cannot_be_a_name_and_number_is_refused_without_asking(
    alipay: RunningAlipay, name: str, id_number: str
) -> None:
    with pytest.raises(PlatformRefused) as no:
        await checks(alipay).start(name, id_number)
    assert (no.value.reason, await alipay.asked(START)) == ("id_invalid", 0)


async def test_a_name_that_alipay_refuses_is_refused(alipay: RunningAlipay) -> None:
    with pytest.raises(PlatformRefused) as no:
        await checks(alipay).start("  ", ID_NUMBER)
    assert (no.value.reason, no.value.platform_code) == ("id_invalid", "INVALID_PARAMETER")


@pytest.mark.parametrize("kind", ["http_500", "rubbish", "wrong_signature", "error"])
async def test_a_broken_alipay_lets_nobody_pass(alipay: RunningAlipay, kind: str) -> None:
    await alipay.sandbox.persona(ID_NUMBER, name="张三")
    started = await checks(alipay).start("张三", ID_NUMBER)
    await alipay.stand_before_the_camera(started.certify_id)
    await alipay.misbehave(QUERY, kind, times=1)
    with pytest.raises(PlatformUnavailable):
        await checks(alipay).passed(started.certify_id)
    assert await checks(alipay).passed(started.certify_id)
    await alipay.misbehave(START, kind, times=1)
    with pytest.raises(PlatformUnavailable):
        await checks(alipay).start("张三", ID_NUMBER)


async def test_a_check_closes_after_23_hours(alipay: RunningAlipay) -> None:
    await alipay.sandbox.persona(ID_NUMBER, name="张三")
    started = await checks(alipay).start("张三", ID_NUMBER)
    alipay.sandbox.clock.move(23 * 3600)
    late = await alipay.sandbox.http.post(
        "/_sandbox/alipay/faces", json={"certify_id": started.certify_id}
    )
    assert (late.status_code, late.json()["code"]) == (409, "check_closed")
    assert not await checks(alipay).passed(started.certify_id)


async def test_neither_name_nor_number_is_logged(
    alipay: RunningAlipay, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    errors = []
    # Tracebacks quote the line that asks, so the name is not written in it.
    name = "张三"
    with capture_logs() as logs:
        await checks(alipay).start(name, ID_NUMBER)
        for kind in ("http_500", "rubbish", "wrong_signature", "error"):
            await alipay.misbehave(START, kind, times=1)
            with pytest.raises(PlatformUnavailable) as no:
                await checks(alipay).start(name, ID_NUMBER)
            errors += traceback.format_exception(no.value)
    told = caplog.text + repr(logs) + "".join(errors)
    assert logs
    for private in (name, "\\u5f20", "%E5%BC%A0", ID_NUMBER):
        assert private not in told
