"""What has no search: pools, and Spark by hand."""
