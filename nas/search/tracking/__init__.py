"""Studies shown in other people's trackers: readers of the log, never in its way."""
