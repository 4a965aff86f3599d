"""Where training functions run: a supervisor and the worker process that it keeps alive."""
