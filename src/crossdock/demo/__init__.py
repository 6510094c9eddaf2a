"""A whole retailer on one machine, to look at in a minute. Imports `gateway` and below."""

from crossdock.demo.options import USUAL, Options
from crossdock.demo.run import run_demo

__all__ = ["USUAL", "Options", "run_demo"]
