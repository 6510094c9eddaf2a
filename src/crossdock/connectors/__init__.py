"""One folder a vendor, sans-IO. Imports `domain`, `sdk`, `model` and `errors`, as any outside author may."""
