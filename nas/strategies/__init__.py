"""Who draws: one file per strategy, each a fold over the history of its study."""
