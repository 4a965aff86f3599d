"""Ours, on every engine."""
