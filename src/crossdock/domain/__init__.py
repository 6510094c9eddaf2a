"""Pure decisions on the model: no clock, randomness, I/O or logging. Imports only `model` and `errors`."""
