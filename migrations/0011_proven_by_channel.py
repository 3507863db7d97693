"""What each channel has proven, and by which one somebody signed in."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

# Nobody was ever joined who had not proven her number (level 2) herself; which of several channels
# proved a face is not known any more.
PROVEN = """
UPDATE channel_link l
SET level = CASE WHEN EXISTS (
        SELECT 1 FROM channel_link o WHERE o.citizen_id = l.citizen_id AND o.id <> l.id
    ) THEN LEAST(c.level, 2) ELSE c.level END
FROM citizen c WHERE c.id = l.citizen_id
"""
CAME_BY = """
UPDATE sign_in s SET link_id = (
    SELECT id FROM channel_link l WHERE l.citizen_id = s.person_id AND l.platform = s.channel
    ORDER BY l.level LIMIT 1)
WHERE person_kind = 'citizen' AND ended_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0010_audit_of_whom")]

    initial = False

    operations = [
        ops.AddField(
            model_name="ChannelLink",
            name="level",
            field=fields.SmallIntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name="SignIn",
            name="link_id",
            field=fields.UUIDField(null=True),
        ),
        ops.RunSQL([PROVEN, CAME_BY], reverse_sql=["SELECT 1"]),
    ]
