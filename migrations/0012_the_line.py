"""What a ticket's events must tell so that they alone rebuild it; priorities; a hall's rules."""

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.tickets import Move, Priority

# Until now a ticket kept the line, the number and the rank time that it was issued with.
TELL = """
    UPDATE ticket_event e SET line_id = t.line_id, number = t.number, rank_time = t.rank_time
    FROM ticket t WHERE t.id = e.ticket_id AND e.move = 'issue'
"""
INDEXES = [
    "DROP INDEX ticket_event_call",
    # The board shows who is called again like who is called.
    "CREATE INDEX ticket_event_call ON ticket_event (hall_id, at DESC, id DESC)"
    " WHERE move IN ('call', 'recall')",
    # What a counter did last, which it may take back.
    "CREATE INDEX ticket_event_counter ON ticket_event (counter_id, id)"
    " WHERE counter_id IS NOT NULL",
    # What has happened in a hall since somebody last looked.
    "CREATE INDEX ticket_event_hall ON ticket_event (hall_id, id)",
]
INDEXES_BEFORE = [
    "DROP INDEX ticket_event_hall",
    "DROP INDEX ticket_event_counter",
    "DROP INDEX ticket_event_call",
    "CREATE INDEX ticket_event_call ON ticket_event (hall_id, at DESC, id DESC)"
    " WHERE move = 'call'",
]


class Migration(migrations.Migration):
    dependencies = [("models", "0011_proven_by_channel")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Hall",
            name="rules",
            field=fields.JSONField(
                db_default="{}",
                encoder=functools.partial(dumps, separators=(",", ":")),
                decoder=loads,
            ),
        ),
        ops.AddField(
            model_name="Ticket",
            name="priority",
            field=fields.CharEnumField(
                null=True,
                description="ELDERLY: elderly\nDISABLED: disabled\nPREGNANT: pregnant\nMILITARY: military\nWITH_INFANT: with_infant",
                enum_type=Priority,
                max_length=16,
            ),
        ),
        ops.AddField(
            model_name="Ticket",
            name="priority_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Ticket",
            name="recalls",
            field=fields.SmallIntField(db_default=0),
        ),
        ops.AddField(
            model_name="Ticket",
            name="returned_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AlterField(
            model_name="TicketEvent",
            name="move",
            field=fields.CharEnumField(
                description="ISSUE: issue\nCALL: call\nSTART: start\nFINISH: finish\nMISS: miss\nCANCEL: cancel\nLAPSE: lapse\nRECALL: recall\nPARK: park\nRESUME: resume\nRETURN: return\nTRANSFER: transfer\nMOVE: move\nLET_PASS: let_pass\nCLAIM: claim\nCONFIRM: confirm\nMERGE: merge\nUNDO: undo",
                enum_type=Move,
                max_length=16,
            ),
        ),
        ops.AddField(
            model_name="TicketEvent",
            name="held_for",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="TicketEvent",
            name="line_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="TicketEvent",
            name="number",
            field=fields.CharField(null=True, max_length=12),
        ),
        ops.AddField(
            model_name="TicketEvent",
            name="rank_time",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="TicketEvent",
            name="undoes",
            field=fields.BigIntField(null=True),
        ),
        ops.RunSQL(TELL, reverse_sql="SELECT 1"),
        ops.RunSQL(INDEXES, reverse_sql=INDEXES_BEFORE),
    ]
