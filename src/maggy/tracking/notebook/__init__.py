"""What is shown in a notebook."""

from maggy.tracking.notebook.place import NotebookPlace, display_text, in_notebook
from maggy.tracking.notebook.view import notebook_view

__all__ = ["NotebookPlace", "display_text", "in_notebook", "notebook_view"]
