"""What has just been written: see `stores.cache`."""

from crossdock.stores.cache import Memory, Recent

__all__ = ["Memory", "Recent"]
