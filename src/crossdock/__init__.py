"""Crossdock, the order backbone of a retailer: every order kept, understood, decided once, and sent on."""

__version__ = "0.1.0.dev0"
