"""Retail process managers: which event leads to which decision and effects. Imports `engine` and below."""
