"""What the faces read: see `stores.reads`."""

from crossdock.stores.reads import CASE_COLUMNS, ORDER_COLUMNS, STEP_COLUMNS, TIMELINE_ROWS_MAX, Reads
from crossdock.stores.sqlite.database import QUERIES

__all__ = ["CASE_COLUMNS", "ORDER_COLUMNS", "QUERIES", "STEP_COLUMNS", "TIMELINE_ROWS_MAX", "Reads"]
