"""What Maggy costs, measured beside a reference in the same run. See README.md for the method."""
