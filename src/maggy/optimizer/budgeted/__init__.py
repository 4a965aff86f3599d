"""Who gets how much training: optimizers that give out budgets, over any sampler."""
