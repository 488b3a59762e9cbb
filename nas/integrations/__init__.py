"""Our parts for others: the controller as an Optuna sampler."""
