"""Campaigns: a notice to everybody whom it concerns, approved by a second person."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from models.campaigns import CampaignState

# What became of a campaign's notices is counted by it.
CAMPAIGN_OF = """
CREATE INDEX notice_of_campaign ON notice (subject_id) WHERE kind = 'policy_news'
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0049_consents")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Campaign",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("title", fields.CharField(max_length=40)),
                ("title_en", fields.CharField(max_length=80)),
                ("text", fields.CharField(max_length=500)),
                ("text_en", fields.CharField(max_length=1000)),
                ("audience", fields.CharField(max_length=1000)),
                ("reads", fields.SmallIntField()),
                ("item_id", fields.UUIDField(null=True)),
                ("starts_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ends_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("per_minute", fields.IntField()),
                (
                    "state",
                    fields.CharEnumField(
                        description="DRAFT: draft\nAPPROVED: approved\nRUNNING: running\n"
                        "PAUSED: paused\nDONE: done\nCANCELLED: cancelled",
                        enum_type=CampaignState,
                        max_length=12,
                    ),
                ),
                ("version", fields.SmallIntField()),
                ("author_id", fields.UUIDField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("approved_by", fields.UUIDField(null=True)),
                (
                    "approved_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("cursor", fields.UUIDField(null=True)),
                ("left_out", fields.IntField(db_default=0)),
                ("next_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("held_by", fields.UUIDField(null=True)),
                (
                    "held_until",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("figures", fields.JSONField(null=True)),
                (
                    "counted_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "campaign",
                "app": "models",
                "indexes": [Index(fields=["state", "next_at"], name="campaign_due")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Campaign",
            CheckConstraint(check="approved_by <> author_id", name="campaign_second_person"),
        ),
        ops.AddConstraint(
            "Campaign",
            CheckConstraint(
                check="state IN ('draft', 'cancelled') OR approved_by IS NOT NULL",
                name="campaign_approved",
            ),
        ),
        ops.AddConstraint(
            "Campaign",
            CheckConstraint(
                check="(state IN ('done', 'cancelled')) = (ended_at IS NOT NULL)",
                name="campaign_until_ended",
            ),
        ),
        ops.AddConstraint(
            "Campaign",
            CheckConstraint(check="ends_at > starts_at", name="campaign_ends_after_start"),
        ),
        ops.AddConstraint(
            "Campaign", CheckConstraint(check="per_minute > 0", name="campaign_goes_on")
        ),
        ops.RunSQL(CAMPAIGN_OF, reverse_sql="DROP INDEX notice_of_campaign"),
    ]
