"""What the author of a connector writes against: calls, spec, decoding helpers. Imports `model` and `errors`."""
