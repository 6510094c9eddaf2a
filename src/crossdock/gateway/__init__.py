"""The ASGI face where messages come in and questions are answered. Imports `console`, `bootstrap` and below."""
