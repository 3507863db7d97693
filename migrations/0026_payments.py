"""Payments: bills, orders, refunds, the ledger with its accounts, the inbox of callbacks."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.bills import BillSource, BillState
from models.inbox import NewsState
from models.ledger import AccountKind, EntryKind
from models.orders import OrderState
from models.refunds import RefundReason, RefundState

# Money is held together by keys. An order is over its bill's very amount, and a bill is settled by an
# order of its own; a payment is entered once, and of a refund each step; it is returned or kept,
# never both. What an order or a bill is over never changes, and nothing of this is ever deleted.
RULES = """
CREATE SEQUENCE bill_no;
ALTER TABLE pay_order ADD CONSTRAINT order_over_its_bill
    FOREIGN KEY (bill_id, amount_fen) REFERENCES bill (id, amount_fen);
ALTER TABLE bill ADD CONSTRAINT bill_settled_by_its_order
    FOREIGN KEY (id, settled_by) REFERENCES pay_order (bill_id, id);
ALTER TABLE refund ADD CONSTRAINT refund_of_an_order
    FOREIGN KEY (order_id) REFERENCES pay_order (id);
ALTER TABLE ledger_entry ADD CONSTRAINT entry_of_an_order
    FOREIGN KEY (order_id) REFERENCES pay_order (id);
ALTER TABLE ledger_entry ADD CONSTRAINT entry_of_a_refund
    FOREIGN KEY (refund_id) REFERENCES refund (id);
CREATE UNIQUE INDEX entry_paid_once ON ledger_entry (order_id) WHERE refund_id IS NULL;
CREATE UNIQUE INDEX entry_step_once ON ledger_entry (refund_id, kind) WHERE refund_id IS NOT NULL;
CREATE UNIQUE INDEX entry_ends_once ON ledger_entry (refund_id) WHERE kind IN ('returned', 'kept');
CREATE INDEX order_due ON pay_order (look_at) WHERE state = 'pending';
CREATE INDEX refund_due ON refund (try_at) WHERE state IN ('approved', 'pending');
CREATE INDEX refund_to_decide ON refund (id) WHERE state = 'asked';
CREATE INDEX news_to_settle ON callback_inbox (id) WHERE state = 'stored';
CREATE INDEX news_to_ask ON callback_inbox (order_id, refund_id) WHERE state = 'ask';
INSERT INTO ledger_account (code, kind) VALUES
    ('at_wechat', 'asset'), ('at_alipay', 'asset'), ('at_unionpay', 'asset'), ('at_bank', 'asset'),
    ('collected', 'income'), ('owed_back', 'liability');
CREATE FUNCTION money_is_never_unwritten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is never unwritten', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION order_terms_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.order_no, NEW.bill_id, NEW.amount_fen, NEW.channel, NEW.placed_at,
        NEW.expires_at) <>
       (OLD.id, OLD.order_no, OLD.bill_id, OLD.amount_fen, OLD.channel, OLD.placed_at,
        OLD.expires_at) OR OLD.settles <> NEW.settles
       OR OLD.paid_at IS NOT NULL AND NEW.paid_at IS DISTINCT FROM OLD.paid_at
       OR NEW.refunded_fen < OLD.refunded_fen THEN
        RAISE EXCEPTION 'what an order is over never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION refund_terms_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.refund_no, NEW.order_id, NEW.request_no, NEW.amount_fen) <>
       (OLD.id, OLD.refund_no, OLD.order_id, OLD.request_no, OLD.amount_fen)
       OR OLD.state IN ('done', 'failed', 'rejected') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'what a refund is over never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_append_only;
CREATE TRIGGER orders_stay BEFORE DELETE OR TRUNCATE ON pay_order
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
CREATE TRIGGER refunds_stay BEFORE DELETE OR TRUNCATE ON refund
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
CREATE TRIGGER bills_stay BEFORE DELETE OR TRUNCATE ON bill
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
CREATE TRIGGER order_terms BEFORE UPDATE ON pay_order
    FOR EACH ROW EXECUTE FUNCTION order_terms_stay();
CREATE TRIGGER refund_terms BEFORE UPDATE ON refund
    FOR EACH ROW EXECUTE FUNCTION refund_terms_stay();
"""
NO_RULES = """
ALTER TABLE bill DROP CONSTRAINT bill_settled_by_its_order;
ALTER TABLE pay_order DROP CONSTRAINT order_over_its_bill;
ALTER TABLE refund DROP CONSTRAINT refund_of_an_order;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_of_an_order, DROP CONSTRAINT entry_of_a_refund;
DROP FUNCTION money_is_never_unwritten() CASCADE;
DROP FUNCTION order_terms_stay() CASCADE;
DROP FUNCTION refund_terms_stay() CASCADE;
DROP SEQUENCE bill_no;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0025_booked_by_the_hall")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Bill",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("bill_no", fields.CharField(unique=True, max_length=24)),
                (
                    "source",
                    fields.CharEnumField(
                        description="TICKET: ticket\nCOUNTER: counter\nDEPARTMENT: department",
                        enum_type=BillSource,
                        max_length=12,
                    ),
                ),
                ("source_key", fields.CharField(max_length=120)),
                (
                    "citizen",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="citizen_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="bills",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "acting",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="acting_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="bills_of_others",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("person_key", fields.UUIDField(null=True)),
                ("hall_id", fields.UUIDField(null=True)),
                ("item_id", fields.UUIDField(null=True)),
                ("ticket_id", fields.UUIDField(null=True)),
                ("title", fields.CharField(max_length=120)),
                ("amount_fen", fields.BigIntField()),
                (
                    "state",
                    fields.CharEnumField(
                        description="DUE: due\nPAID: paid\nCANCELLED: cancelled",
                        enum_type=BillState,
                        max_length=12,
                    ),
                ),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("made_by", fields.CharField(max_length=16)),
                ("made_by_id", fields.UUIDField(null=True)),
                ("settled_by", fields.UUIDField(null=True, unique=True)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("reason", fields.CharField(null=True, max_length=40)),
            ],
            options={
                "table": "bill",
                "app": "models",
                "indexes": [
                    Index(fields=["citizen_id", "id"], name="bill_of_citizen"),
                    Index(fields=["acting_id", "id"], name="bill_of_acting"),
                    Index(fields=["person_key"], name="bill_of_person"),
                    Index(fields=["ticket_id"], name="bill_of_ticket"),
                    Index(fields=["hall_id", "id"], name="bill_of_hall"),
                ],
                "pk_attr": "id",
                "table_description": "So much to be paid for one thing. Whose it is is told as a ticket tells it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CallbackInbox",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("channel", fields.CharField(max_length=16)),
                ("event_id", fields.CharField(max_length=128)),
                ("received_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("signed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("digest", fields.CharField(max_length=64)),
                ("order_id", fields.UUIDField(null=True)),
                ("refund_id", fields.UUIDField(null=True)),
                ("said", fields.CharField(max_length=12)),
                ("channel_no", fields.CharField(null=True, max_length=64)),
                (
                    "happened_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="STORED: stored\nSETTLED: settled\nASK: ask\nDROPPED: dropped",
                        enum_type=NewsState,
                        max_length=12,
                    ),
                ),
                ("settled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "callback_inbox",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a genuine callback says, in our words; what it was in bytes is told by its digest.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LedgerAccount",
            fields=[
                (
                    "code",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=24),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="ASSET: asset\nLIABILITY: liability\nINCOME: income",
                        enum_type=AccountKind,
                        max_length=12,
                    ),
                ),
            ],
            options={
                "table": "ledger_account",
                "app": "models",
                "pk_attr": "code",
                "table_description": "An account; the migration names them all.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LedgerEntry",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "kind",
                    fields.CharEnumField(
                        description="PAID: paid\nSURPLUS: surplus\nPROMISED: promised\nRETURNED: returned\nKEPT: kept",
                        enum_type=EntryKind,
                        max_length=12,
                    ),
                ),
                (
                    "debit",
                    fields.ForeignKeyField(
                        "models.LedgerAccount",
                        source_field="debit_id",
                        db_constraint=True,
                        to_field="code",
                        related_name="debits",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "credit",
                    fields.ForeignKeyField(
                        "models.LedgerAccount",
                        source_field="credit_id",
                        db_constraint=True,
                        to_field="code",
                        related_name="credits",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("amount_fen", fields.BigIntField()),
                ("order_id", fields.UUIDField()),
                ("refund_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "ledger_entry",
                "app": "models",
                "indexes": [
                    Index(fields=["order_id"], name="entries_of_order"),
                    Index(fields=["at"], name="entries_of_day"),
                ],
                "pk_attr": "id",
                "table_description": "Money that moved. Only ever added; a trigger refuses the rest.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PayOrder",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("order_no", fields.CharField(unique=True, max_length=32)),
                ("bill_id", fields.UUIDField()),
                ("amount_fen", fields.BigIntField()),
                ("channel", fields.CharField(max_length=16)),
                ("payer_link_id", fields.UUIDField(null=True)),
                (
                    "state",
                    fields.CharEnumField(
                        description="PENDING: pending\nPAID: paid\nCLOSED: closed\nREFUNDING: refunding\nPARTLY_REFUNDED: partly_refunded\nREFUNDED: refunded",
                        enum_type=OrderState,
                        max_length=16,
                    ),
                ),
                ("placed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("close_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("channel_no", fields.CharField(null=True, max_length=64)),
                ("paid_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("settles", fields.BooleanField(null=True)),
                ("refunding_fen", fields.BigIntField(db_default=0)),
                ("refunded_fen", fields.BigIntField(db_default=0)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("look_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("looks", fields.IntField(db_default=0)),
            ],
            options={
                "table": "pay_order",
                "app": "models",
                "indexes": [Index(fields=["bill_id", "id"], name="order_of_bill")],
                "pk_attr": "id",
                "table_description": "One attempt. A paid one settles its bill, or is a surplus that goes back as a whole.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("refund_no", fields.CharField(unique=True, max_length=32)),
                ("order_id", fields.UUIDField()),
                ("request_no", fields.CharField(max_length=64)),
                ("amount_fen", fields.BigIntField()),
                (
                    "reason",
                    fields.CharEnumField(
                        description="SURPLUS: surplus\nLATE: late\nOVERCHARGED: overcharged\nNOT_SERVED: not_served\nWITHDRAWN: withdrawn\nOTHER: other",
                        enum_type=RefundReason,
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="ASKED: asked\nREJECTED: rejected\nAPPROVED: approved\nPENDING: pending\nDONE: done\nFAILED: failed\nSTUCK: stuck",
                        enum_type=RefundState,
                        max_length=12,
                    ),
                ),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("asked_by", fields.CharField(max_length=16)),
                ("asked_by_id", fields.UUIDField(null=True)),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("decided_by_id", fields.UUIDField(null=True)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("channel_refund_no", fields.CharField(null=True, max_length=64)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("try_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("tries", fields.IntField(db_default=0)),
                ("fault", fields.CharField(null=True, max_length=40)),
            ],
            options={
                "table": "refund",
                "app": "models",
                "indexes": [Index(fields=["order_id", "id"], name="refund_of_order")],
                "pk_attr": "id",
                "table_description": "So much of one order goes back. `request_no` is its asker's: the same again is this one.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Bill", UniqueConstraint(fields=("source", "source_key"), name="bill_once")
        ),
        ops.AddConstraint("Bill", UniqueConstraint(fields=("id", "amount_fen"), name="bill_over")),
        ops.AddConstraint(
            "Bill",
            CheckConstraint(
                check="amount_fen > 0 AND amount_fen <= 1000000000", name="bill_amount"
            ),
        ),
        ops.AddConstraint(
            "Bill",
            CheckConstraint(check="state IN ('due', 'paid', 'cancelled')", name="bill_state_known"),
        ),
        ops.AddConstraint(
            "Bill",
            CheckConstraint(
                check="(state = 'paid') = (settled_by IS NOT NULL)", name="bill_settled_when_paid"
            ),
        ),
        ops.AddConstraint(
            "Bill",
            CheckConstraint(
                check="(state = 'due') = (ended_at IS NULL)", name="bill_due_until_ended"
            ),
        ),
        ops.AddConstraint(
            "CallbackInbox", UniqueConstraint(fields=("channel", "event_id"), name="callback_once")
        ),
        ops.AddConstraint(
            "CallbackInbox",
            CheckConstraint(
                check="(order_id IS NULL) <> (refund_id IS NULL)", name="callback_is_about_one"
            ),
        ),
        ops.AddConstraint(
            "CallbackInbox",
            CheckConstraint(
                check="(state IN ('stored', 'ask')) = (settled_at IS NULL)",
                name="callback_until_settled",
            ),
        ),
        ops.AddConstraint(
            "LedgerEntry", CheckConstraint(check="amount_fen > 0", name="entry_moves_something")
        ),
        ops.AddConstraint(
            "LedgerEntry",
            CheckConstraint(check="debit_id <> credit_id", name="entry_has_two_sides"),
        ),
        ops.AddConstraint(
            "LedgerEntry",
            CheckConstraint(
                check="(kind IN ('paid', 'surplus')) = (refund_id IS NULL)", name="entry_is_of"
            ),
        ),
        ops.AddConstraint(
            "PayOrder",
            UniqueConstraint(
                fields=("bill_id", "channel"),
                name="order_pending_once",
                condition="state = 'pending'",
            ),
        ),
        ops.AddConstraint(
            "PayOrder",
            UniqueConstraint(fields=("bill_id",), name="order_settles_once", condition="settles"),
        ),
        ops.AddConstraint(
            "PayOrder",
            UniqueConstraint(fields=("channel", "channel_no"), name="order_channel_no_once"),
        ),
        ops.AddConstraint(
            "PayOrder", UniqueConstraint(fields=("bill_id", "id"), name="order_of_its_bill")
        ),
        ops.AddConstraint(
            "PayOrder",
            CheckConstraint(
                check="refunding_fen >= 0 AND refunded_fen >= 0 AND refunding_fen + refunded_fen <= amount_fen",
                name="order_refunds_within",
            ),
        ),
        ops.AddConstraint(
            "PayOrder",
            CheckConstraint(
                check="CASE WHEN paid_at IS NULL THEN state IN ('pending', 'closed') WHEN refunding_fen > 0 THEN state = 'refunding' WHEN refunded_fen = 0 THEN state = 'paid' WHEN refunded_fen = amount_fen THEN state = 'refunded' ELSE state = 'partly_refunded' END",
                name="order_standing",
            ),
        ),
        ops.AddConstraint(
            "PayOrder",
            CheckConstraint(
                check="(paid_at IS NULL) = (settles IS NULL) AND (paid_at IS NOT NULL OR refunding_fen + refunded_fen = 0)",
                name="order_paid_settles",
            ),
        ),
        ops.AddConstraint(
            "PayOrder",
            CheckConstraint(
                check="(state = 'pending') = (look_at IS NOT NULL)", name="order_looked_after"
            ),
        ),
        ops.AddConstraint(
            "PayOrder",
            CheckConstraint(check="order_no ~ '^[0-9A-Z]{8,32}$'", name="order_no_shape"),
        ),
        ops.AddConstraint(
            "Refund", UniqueConstraint(fields=("order_id", "request_no"), name="refund_once")
        ),
        ops.AddConstraint("Refund", CheckConstraint(check="amount_fen > 0", name="refund_amount")),
        ops.AddConstraint(
            "Refund",
            CheckConstraint(
                check="(state IN ('done', 'failed', 'rejected')) = (ended_at IS NOT NULL)",
                name="refund_until_ended",
            ),
        ),
        ops.AddConstraint(
            "Refund",
            CheckConstraint(
                check="(state IN ('approved', 'pending')) = (try_at IS NOT NULL)",
                name="refund_looked_after",
            ),
        ),
        ops.AddConstraint(
            "Refund",
            CheckConstraint(
                check="state <> 'pending' OR sent_at IS NOT NULL", name="refund_sent_when_pending"
            ),
        ),
        ops.AddConstraint(
            "Refund",
            CheckConstraint(
                check="(state IN ('asked', 'approved', 'rejected') OR sent_at IS NOT NULL)",
                name="refund_sent_before_it_ends",
            ),
        ),
        ops.RunSQL(RULES, reverse_sql=NO_RULES),
    ]
