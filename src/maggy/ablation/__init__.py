"""What to leave out: ablation studies."""
