"""Whom Standfast tells, and how."""
