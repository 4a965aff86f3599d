"""PyTorch on several workers."""
