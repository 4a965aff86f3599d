"""The experiments that the seeds report, with real training on real executors of Spark."""
