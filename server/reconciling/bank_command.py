"""`bank-batch`: a bank counter's signed file, shown and brought in."""

from pathlib import Path
from typing import Annotated, Final

import typer

from integrations.ports_bank import BatchRefused
from integrations.yuan import yuan_of
from models.bank_batches import BatchDiffers, PaymentEffect
from models.opening import open_database
from server.commands.ground import console, fail, ground_of
from server.reconciling.bank_batches import Preview, bring, confirm
from server.reconciling.batch_faults import FAULTS
from server.running.health import require_migrated
from server.running.logs import configure_logs
from server.settings import WrongSettings

MOST_SHOWN: Final = 50
EFFECTS: Final = {
    PaymentEffect.SETTLES: "销账 settles its bill",
    PaymentEffect.SURPLUS: "账单已缴或已取消，应退 surplus: the bill is paid or cancelled",
    PaymentEffect.UNKNOWN_BILL: "无此账单 no such bill",
    PaymentEffect.OTHER_AMOUNT: "金额不符 another amount than the bill's",
    PaymentEffect.KNOWN: "流水号已入账 this serial was brought in before",
}


def bank_batch(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="银行柜面缴费文件。 A bank counter's file.",
            exists=True,
            dir_okay=False,
        ),
    ],
    *,
    go: Annotated[
        bool, typer.Option("--confirm", help="确认入账。 Bring it in, not only show it.")
    ] = False,
) -> None:
    """导入银行柜面缴费文件：先预览，确认后入账。 Bring in a bank counter's signed file.

    Without --confirm it only shows what each payment would do. The same file again, or confirmed
    again, does nothing twice. What cannot be settled becomes a case for a person. Exit code 0 when
    all of it settles bills, 3 when a person has to look, 2 for a file that is refused.
    """
    ground = ground_of(context)
    settings = ground.settings()
    configure_logs("error")

    async def main() -> None:
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            reader = ground.platforms(settings, urls.redis).batches
            if reader is None:
                raise WrongSettings("没有配置银行密钥。 Set YITING_BANK_KEYS_FILE.")
            now = ground.now(settings)
            try:
                shown = await bring(file.read_bytes(), reader, by=None, now=now)
            except BatchRefused as fault:
                raise fail(_refused(fault), 2) from None
            except BatchDiffers:
                raise fail(
                    "该批次号已有另一份文件。 This bank sent another file under this number.", 2
                ) from None
            if go:
                shown = await confirm(shown.batch["id"], by=None, now=now)
        _show(shown)
        if set(shown.counts) - {PaymentEffect.SETTLES, PaymentEffect.KNOWN}:
            raise typer.Exit(3)

    ground.run(main())


def _refused(fault: BatchRefused) -> str:
    said = [" ".join(FAULTS[fault.fault])]
    said += [f"  {line}: {what}" for line, what in fault.lines]
    return "\n".join(said)


def _show(shown: Preview) -> None:
    batch, counts = shown.batch, shown.counts
    console.print(
        f"{batch['bank']} {batch['number']} {batch['day']}: {batch['lines']} 笔 payments,"
        f" {yuan_of(batch['fen'])} 元 yuan",
        highlight=False,
    )
    for effect, word in EFFECTS.items():
        if counts[effect]:
            console.print(f"  {counts[effect]} {word}", highlight=False)
    odd = [one for one in shown.payments if shown.effect_of(one) is not PaymentEffect.SETTLES]
    for one in odd[:MOST_SHOWN]:
        what = EFFECTS[shown.effect_of(one)]
        console.print(
            f"  第 {one['line']} 行 line: {one['bill_no']} {yuan_of(one['fen'])} {what}",
            highlight=False,
        )
    if len(odd) > MOST_SHOWN:
        console.print(f"  … 另有 {len(odd) - MOST_SHOWN} 笔 more", highlight=False)
    state = "已入账 brought in" if shown.is_confirmed else "未入账 not brought in (--confirm)"
    console.print(state, highlight=False)
