"""What-if: scenario files, shocks, overrides, and what is expected of a plan."""
