"""Diagrams of a definition. Pure; a broken definition raises no error, and its defects are drawn."""

from stepsched.asl.draw.dot import to_dot
from stepsched.asl.draw.mermaid import to_mermaid
from stepsched.asl.draw.reading import Edge, Graph, Node, graph
from stepsched.asl.draw.svg import to_svg

__all__ = ["Edge", "Graph", "Node", "graph", "to_dot", "to_mermaid", "to_svg"]
