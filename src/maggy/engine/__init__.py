"""Start N workers somewhere."""
