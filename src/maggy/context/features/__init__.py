"""Leaving columns out of data, whatever form they have: what an ablation study does to the arguments of a trial."""

from maggy.context.data.outline import outline
from maggy.context.features.leaving import check_columns, columns_of, leave_out, leave_out_of, width_of

__all__ = ["check_columns", "columns_of", "leave_out", "leave_out_of", "outline", "width_of"]
