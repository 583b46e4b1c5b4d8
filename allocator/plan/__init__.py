"""From wished sizes to a plan: whole lots, prices, order of steps, explanation."""
