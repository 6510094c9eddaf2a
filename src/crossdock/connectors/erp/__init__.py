"""The ERP connector: documents and items. Imports nothing of another connector."""
