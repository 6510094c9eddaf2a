"""The Shopify connector: a shop as a channel. Imports nothing of another connector."""
