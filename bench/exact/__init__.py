"""The whole decision as a mixed-integer model of its own, to measure plans against.

Written from the law (docs: problem, sections 3 and 4) and the exact facts of a book; shares no
row, column or bound with `allocator.program`. Amounts are in `UNIT` numeraire, costs in numeraire.
"""
