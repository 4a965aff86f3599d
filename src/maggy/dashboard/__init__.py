"""The page of `maggy ui`: experiments as their journals tell them, in a browser.

It reads what lies in the folders and never the driver's memory. What it asks of a driver goes by `control/`, as with
everybody else.
"""

from maggy.dashboard.server import Dashboard

__all__ = ["Dashboard"]
