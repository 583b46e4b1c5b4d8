"""What stands between a plan and the market: controls, breakers, approvals, triggers. Pure."""
