"""The databases behind one port. Imports `flows` and below; never `connectors` or `transport`."""
