"""A claim of priority that does not stand is refused, and the ticket's history says so."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.tickets import Move


class Migration(migrations.Migration):
    dependencies = [("models", "0037_paid_lines")]

    initial = False

    operations = [
        ops.AlterField(
            model_name="TicketEvent",
            name="move",
            field=fields.CharEnumField(
                description="ISSUE: issue\nCALL: call\nSTART: start\nFINISH: finish\nMISS: miss\nCANCEL: cancel\nLAPSE: lapse\nRECALL: recall\nPARK: park\nRESUME: resume\nRETURN: return\nTRANSFER: transfer\nRETURN_TO_LINE: return_to_line\nMOVE: move\nREROUTE: reroute\nSTAY: stay\nLET_PASS: let_pass\nCLAIM: claim\nCONFIRM: confirm\nREFUSE: refuse\nCHECK_IN: check_in\nMERGE: merge\nUNDO: undo",
                enum_type=Move,
                max_length=16,
            ),
        ),
    ]
