"""The configuration: one `crossdock.toml`, read whole, every mistake told with line, field and remedy."""

from crossdock.config.load import load_config, load_hub
from crossdock.config.model import (
    Config,
    ConfigurationErrors,
    ConnectionConfig,
    HubConfig,
    LimitsConfig,
    Problem,
)
from crossdock.config.registry import Registry

__all__ = [
    "Config",
    "ConfigurationErrors",
    "ConnectionConfig",
    "HubConfig",
    "LimitsConfig",
    "Problem",
    "Registry",
    "load_config",
    "load_hub",
]
