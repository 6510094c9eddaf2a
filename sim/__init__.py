"""The deterministic simulation: a retailer's day on the real engine, under a virtual clock, with everything that goes wrong."""
