"""A whole retailer on one machine, to look at in a minute. Imports `gateway` and below."""
