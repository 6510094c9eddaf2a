"""The suites and builders that authors of connectors and stores run too. Imports `simulator` and below."""
