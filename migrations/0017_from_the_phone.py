"""Numbers taken by phone are counted; who is at the hall is known; items may be for residents."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import UniqueConstraint

from models.tickets import Move

INDEXES = [
    # The unique keys of what she took on a day begin with the same column, and do for all of it.
    "DROP INDEX ticket_of_citizen",
    "DROP INDEX ticket_of_person",
    # Who must check in first stands apart, so that the first to call is found as fast as ever.
    "DROP INDEX ticket_waiting",
    "CREATE INDEX ticket_waiting ON ticket (line_id, away, rank_time, id) WHERE state = 'waiting'",
]
INDEXES_BEFORE = [
    "DROP INDEX ticket_waiting",
    "CREATE INDEX ticket_waiting ON ticket (line_id, rank_time, id) WHERE state = 'waiting'",
    "CREATE INDEX ticket_of_person ON ticket (person_key) WHERE person_key IS NOT NULL",
    "CREATE INDEX ticket_of_citizen ON ticket (citizen_id, id)",
]


class Migration(migrations.Migration):
    dependencies = [("models", "0016_visits")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Ticket",
            name="checked_in_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(model_name="Ticket", name="away", field=fields.BooleanField(db_default=False)),
        ops.AddField(model_name="Ticket", name="nth_of_day", field=fields.SmallIntField(null=True)),
        ops.AddConstraint(
            model_name="Ticket",
            constraint=UniqueConstraint(
                fields=("citizen_id", "day", "nth_of_day"), name="ticket_nth_of_citizen"
            ),
        ),
        ops.AddConstraint(
            model_name="Ticket",
            constraint=UniqueConstraint(
                fields=("person_key", "day", "nth_of_day"),
                name="ticket_nth_of_person",
                condition="person_key IS NOT NULL",
            ),
        ),
        ops.AddField(model_name="TicketEvent", name="here", field=fields.BooleanField(null=True)),
        ops.AlterField(
            model_name="TicketEvent",
            name="move",
            field=fields.CharEnumField(
                description="ISSUE: issue\nCALL: call\nSTART: start\nFINISH: finish\nMISS: miss\nCANCEL: cancel\nLAPSE: lapse\nRECALL: recall\nPARK: park\nRESUME: resume\nRETURN: return\nTRANSFER: transfer\nRETURN_TO_LINE: return_to_line\nMOVE: move\nREROUTE: reroute\nSTAY: stay\nLET_PASS: let_pass\nCLAIM: claim\nCONFIRM: confirm\nCHECK_IN: check_in\nMERGE: merge\nUNDO: undo",
                enum_type=Move,
                max_length=16,
            ),
        ),
        ops.RunSQL(INDEXES, reverse_sql=INDEXES_BEFORE),
    ]
