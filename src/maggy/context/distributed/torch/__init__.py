"""PyTorch on several workers: what is found here is imported where it is used, and torch with it."""
