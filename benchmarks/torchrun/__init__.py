"""What a training on two workers costs through Maggy, beside PyTorch's own launcher."""

WORKERS = 2
