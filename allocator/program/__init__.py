"""The convex program: the law as arrays, its relaxation, and the certificate of an answer."""
