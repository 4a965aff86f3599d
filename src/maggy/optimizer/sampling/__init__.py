"""Where fresh configurations come from: one file for each sampler, and the libraries behind them."""
