"""Where the trainings of `nas retrain` and `nas transfer` run when they do not run in this
process."""
