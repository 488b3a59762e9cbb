"""One study remembered: its turns, its log, and what the log amounts to."""
