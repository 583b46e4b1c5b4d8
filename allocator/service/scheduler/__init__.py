"""When what is done: schedules to slots, one slot at a time, by the one leader."""
