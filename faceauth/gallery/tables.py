"""The tables of a gallery. Times in ``_s`` are seconds since 1970, those in ``_at`` of the gallery's own clock."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

gallery_state = Table(
    "gallery_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("gallery_id", String(36), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("wall_s", Double, nullable=False),
    Column("clock_at", Double, nullable=False),
)
"""One row. ``sequence`` counts every change; ``revision`` is the number of the last one of the templates."""

data_keys = Table(
    "data_keys",
    metadata,
    Column("key_id", String(36), primary_key=True),
    Column("master_key_id", String(128), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_s", Double, nullable=False),
)

rotations = Table(
    "rotations",
    metadata,
    Column("model_id", String(128), primary_key=True),
    Column("key_id", ForeignKey("data_keys.key_id"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

subjects = Table(
    "subjects",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("enrolled_s", Double, nullable=False),
    Column("consent", Text, nullable=False),
    Column("consented_s", Double, nullable=False),
    Column("keep_until_s", Double),
)

templates = Table(
    "templates",
    metadata,
    Column("template_id", String(36), primary_key=True),
    Column("subject", ForeignKey("subjects.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("model_id", String(128), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("key_id", ForeignKey("data_keys.key_id"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_s", Double, nullable=False),
)

lockouts = Table(
    "lockouts",
    metadata,
    Column("subject", ForeignKey("subjects.name", ondelete="CASCADE"), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("locked_until_at", Double, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("subject", String(128)),
    Column("client", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("locked_until_before_at", Double, nullable=False),
    Index("ix_sessions_client_opened_at", "client", "opened_at"),
)
"""``state`` is open, refused, judging or settled. The subject need not exist: asking for nobody is an attempt, too."""

camera_levels = Table(
    "camera_levels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("camera", String(128), nullable=False, index=True),
    Column("weights_sha256", Text, nullable=False),
    Column("p_live", Double, nullable=False),
)
"""P(live) of live images by camera; whose images they were is not kept."""
