"""Leaving columns out of data, whatever form they have: what an ablation study does to the arguments of a trial."""

from maggy.context.data.outline import outline
from maggy.context.features.leaving import check_columns, leave_out, leave_out_of, opened, remaining

__all__ = ["check_columns", "leave_out", "leave_out_of", "opened", "outline", "remaining"]
