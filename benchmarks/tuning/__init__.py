"""What a candidate of a partitioned search costs here, beside Fugue-Tune 0.1.6 on the same engine."""

WORKERS = 2
