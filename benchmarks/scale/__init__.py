"""Table 2: many workers, and many trials."""
