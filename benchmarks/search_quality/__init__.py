"""How well searches search: ours beside the peers', on functions and on recorded learning curves. See README.md."""
