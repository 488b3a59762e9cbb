"""Who draws, who judges, what is remembered, what is shown."""

__version__ = "0.1.0"
