"""Performs what connectors ask for; opens the sockets. Imports `flows` and below; never `connectors` or `stores`."""
