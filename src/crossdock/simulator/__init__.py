"""Partner systems as pure functions of request, clock and seed. Imports `transport`, `connectors` and below."""
