"""The dashboard: pages that work without scripts, and charts beside them that need no network."""
