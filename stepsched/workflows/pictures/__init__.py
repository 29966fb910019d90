"""Pictures of workflows and their runs: graphs, Gantt charts. Pure; all texts are escaped.

Each function takes the present as ``now``, for running steps; the same values result in the same text.
"""

from stepsched.workflows.pictures.gantt import to_gantt, to_gantt_text
from stepsched.workflows.pictures.svg import to_svg
from stepsched.workflows.pictures.texts import to_dot, to_mermaid

__all__ = [
    "to_dot",
    "to_gantt",
    "to_gantt_text",
    "to_mermaid",
    "to_svg",
]
