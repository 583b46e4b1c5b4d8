"""Carries a plan out: durable intent before any request, and never a blind retry.

Every request is written down and synced before it is sent. What became of it is learned by its
client id and by nothing else; while nobody can say, the account stands still.

Modules
-------
transitions
    The state machine, pure.
journal
    The durable record: cycles, plans, actions, attempts, reservations, audit.
executor
    Releases the plan's actions in order and follows each to its end.
recovery
    What a start does before anything else.
reconcile
    Whether the venues hold what the journal says they hold.
history
    Reading back, and checking that nobody rewrote it.
"""
