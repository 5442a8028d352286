"""Who, where and on what: tagging Vietnamese news about cooperation across a border."""

__version__ = "0.1.0"
