"""Why a line is not open, what a manager decided about its numbers, and what the day's end ended."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.halls import Issuing, LineState
from models.tickets import Move

# Until now only the event told that the day's end had ended a ticket.
TELL = """
    UPDATE ticket t SET lapsed = true
    FROM ticket_event e WHERE e.ticket_id = t.id AND e.move = 'lapse' AND t.ended_at = e.at
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0012_the_line")]

    initial = False

    operations = [
        ops.AlterField(
            model_name="Line",
            name="state",
            field=fields.CharEnumField(
                default=LineState.OPEN,
                description="OPEN: open\nPAUSED: paused\nSTOPPED: stopped",
                enum_type=LineState,
                max_length=16,
            ),
        ),
        ops.AddField(
            model_name="Line",
            name="issuing",
            field=fields.CharEnumField(
                description="AUTO: auto\nOPEN: open\nSTOPPED: stopped",
                db_default="auto",
                enum_type=Issuing,
                max_length=16,
            ),
        ),
        ops.AddField(
            model_name="Line",
            name="issuing_on",
            field=fields.DateField(null=True),
        ),
        ops.AddField(
            model_name="Line",
            name="issuing_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Line",
            name="reason",
            field=fields.CharField(null=True, max_length=80),
        ),
        ops.AddField(
            model_name="Line",
            name="reason_en",
            field=fields.CharField(null=True, max_length=80),
        ),
        ops.AddField(
            model_name="Ticket",
            name="lapsed",
            field=fields.BooleanField(db_default=False),
        ),
        ops.AlterField(
            model_name="TicketEvent",
            name="move",
            field=fields.CharEnumField(
                description="ISSUE: issue\nCALL: call\nSTART: start\nFINISH: finish\nMISS: miss\nCANCEL: cancel\nLAPSE: lapse\nRECALL: recall\nPARK: park\nRESUME: resume\nRETURN: return\nTRANSFER: transfer\nMOVE: move\nREROUTE: reroute\nSTAY: stay\nLET_PASS: let_pass\nCLAIM: claim\nCONFIRM: confirm\nMERGE: merge\nUNDO: undo",
                enum_type=Move,
                max_length=16,
            ),
        ),
        ops.RunSQL(TELL, reverse_sql="SELECT 1"),
    ]
