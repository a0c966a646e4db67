"""The first version of the database."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "gallery_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("gallery_id", sa.String(36), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("wall_s", sa.Double, nullable=False),
        sa.Column("clock_at", sa.Double, nullable=False),
    )
    op.create_table(
        "data_keys",
        sa.Column("key_id", sa.String(36), primary_key=True),
        sa.Column("master_key_id", sa.String(128), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
    )
    op.create_table(
        "rotations",
        sa.Column("model_id", sa.String(128), primary_key=True),
        sa.Column("key_id", sa.String(36), sa.ForeignKey("data_keys.key_id"), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    _create_subjects()
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(128)),
        sa.Column("client", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("locked_until_before_at", sa.Double, nullable=False),
    )
    op.create_index("ix_sessions_client_opened_at", "sessions", ["client", "opened_at"])
    op.create_table(
        "camera_levels",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("camera", sa.String(128), nullable=False, index=True),
        sa.Column("weights_sha256", sa.Text, nullable=False),
        sa.Column("p_live", sa.Double, nullable=False),
    )


def _create_subjects() -> None:
    op.create_table(
        "subjects",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("enrolled_s", sa.Double, nullable=False),
        sa.Column("consent", sa.Text, nullable=False),
        sa.Column("consented_s", sa.Double, nullable=False),
        sa.Column("keep_until_s", sa.Double),
    )
    op.create_table(
        "templates",
        sa.Column("template_id", sa.String(36), primary_key=True),
        sa.Column(
            "subject", sa.String(128), sa.ForeignKey("subjects.name", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("model_id", sa.String(128), nullable=False, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("key_id", sa.String(36), sa.ForeignKey("data_keys.key_id"), nullable=False, index=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
    )
    op.create_table(
        "lockouts",
        sa.Column("subject", sa.String(128), sa.ForeignKey("subjects.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until_at", sa.Double, nullable=False),
    )
