"""The pages where people see orders and settle cases. Imports `bootstrap` and below."""
