"""The tables of incidents."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, Table, Text

from projections.base import METADATA

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("id", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("cause", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("since", String, nullable=False),
    Column("opened", String, nullable=False),
    Column("resolved", String),
    Column("resolution", Text, nullable=False),
    Column("lasted_seconds", Float),
    Column("recovery", String, nullable=False),
    Column("recovery_outcome", String, nullable=False),
    Column("correlation_id", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("opened_sequence", BigInteger, nullable=False, index=True),
    Column("sequence", BigInteger, nullable=False, index=True),
)

MEMBERS = Table(
    "incident_members",
    METADATA,
    Column("incident", String, primary_key=True),
    Column("service", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("because", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", String, nullable=False),
    Column("joined", String, nullable=False),
    Column("recovered", String),
    Column("sequence", BigInteger, nullable=False),
)

TIMELINE = Table(
    "incident_timeline",
    METADATA,
    Column("incident", String, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("event_id", String, nullable=False),
    Column("time", String, nullable=False),
    Column("event", String, nullable=False),
    Column("tone", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("text", Text, nullable=False),
)
"""`part` tells apart the lines of one event: 0 is the first failed probe, 1 the event itself."""

LINKS = Table(
    "incident_links",
    METADATA,
    Column("entity", String, primary_key=True),
    Column("incident", String, nullable=False),
    Column("open", Boolean, nullable=False),
)
"""The incident that an entity last belonged to. A service's link is open until it recovered."""

SYMPTOMS = Table(
    "service_symptoms",
    METADATA,
    Column("service", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("index", Integer, nullable=False),
    Column("event_id", String, nullable=False),
    Column("event", String, nullable=False),
    Column("since", String, nullable=False),
    Column("time", String, nullable=False),
    Column("first", Text, nullable=False),
    Column("text", Text, nullable=False),
)
"""How each service last failed, kept until an incident takes it in."""
