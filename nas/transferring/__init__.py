"""A cell on larger data: a skeleton that fits it, its body trained or taken over, and arms to compare it with."""
