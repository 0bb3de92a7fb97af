"""Which combinations of undifferenced ambiguities are integers: cycles of the station-satellite graph.

Stations and satellites are nodes, arcs are edges. Every edge outside a spanning tree closes one
cycle, and the alternating sum of the ambiguities around a cycle is an integer (the double difference
is the cycle of length four). The rows built here are a unimodular basis of all of them, for any
pattern of visibility, without choosing a reference station or satellite.

Source: graph view of GNSS networks, Lannes and Gratton (2009), GPS Solutions 13.
"""

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray


def cycle_basis(
    station: IntArray, satellite: IntArray, priority: FloatArray, eligible: BoolArray
) -> tuple[IntArray, FloatArray]:
    """Return the arcs outside a spanning tree and their integer cycles.

    Args:
        station: Station index of each arc, shape ``(arc,)``.
        satellite: Satellite of each arc, shape ``(arc,)``.
        priority: The tree prefers arcs with a large value, shape ``(arc,)``.
        eligible: Arcs that take part, shape ``(arc,)``.

    Returns:
        Indexes of the eligible arcs outside the tree, shape ``(cycle,)``, and the rows of the basis,
        shape ``(cycle, arc)``, elements -1, 0, 1; row ``i`` has a one at the arc that closes cycle ``i``.
    """
    left, right, nodes = _number_nodes(station, satellite)
    tree, closing = _spanning_tree(left, right, nodes, priority, eligible)
    potential = _potentials(left, right, nodes, tree, len(station))
    closing.sort()
    basis = np.zeros((len(closing), len(station)))
    for k, arc in enumerate(closing):
        basis[k] = -potential[left[arc]] - potential[right[arc]]
        basis[k, arc] += 1.0
    return np.array(closing, dtype=np.int64), basis


def _number_nodes(station: IntArray, satellite: IntArray) -> tuple[IntArray, IntArray, int]:
    """Return the two nodes of each edge and how many nodes there are."""
    stations, left = np.unique(station, return_inverse=True)
    satellites, right = np.unique(satellite, return_inverse=True)
    return left, right + len(stations), len(stations) + len(satellites)


def _spanning_tree(
    left: IntArray, right: IntArray, nodes: int, priority: FloatArray, eligible: BoolArray
) -> tuple[list[int], list[int]]:
    """Return the edges of a maximum spanning forest and those that close a cycle (Kruskal 1956)."""
    parent = list(range(nodes))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    tree: list[int] = []
    closing: list[int] = []
    for arc in np.argsort(-priority, kind="stable"):
        if not eligible[arc]:
            continue
        a, b = root(int(left[arc])), root(int(right[arc]))
        if a == b:
            closing.append(int(arc))
        else:
            parent[a] = b
            tree.append(int(arc))
    return tree, closing


def _potentials(left: IntArray, right: IntArray, nodes: int, tree: list[int], count: int) -> FloatArray:
    """Return each node as a signed sum of tree arcs, shape ``(node, arc)``: ``N_arc = a_station + b_satellite``."""
    neighbours: list[list[int]] = [[] for _ in range(nodes)]
    for arc in tree:
        neighbours[left[arc]].append(arc)
        neighbours[right[arc]].append(arc)
    potential = np.zeros((nodes, count))
    reached = [False] * nodes
    for start in range(nodes):
        if reached[start]:
            continue
        reached[start] = True
        stack = [start]
        while stack:
            node = stack.pop()
            for arc in neighbours[node]:
                other = int(right[arc] if left[arc] == node else left[arc])
                if not reached[other]:
                    reached[other] = True
                    potential[other] = -potential[node]
                    potential[other, arc] += 1.0
                    stack.append(other)
    return potential
