"""Notifiers: how people and programs are told."""
