"""The durable machine: knows messages, never retail. Imports `domain`, `sdk`, `model` and `errors`."""
