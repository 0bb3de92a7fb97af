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
    count = len(station)
    nodes = {("r", int(r)): k for k, r in enumerate(np.unique(station))}
    nodes.update({("s", int(s)): len(nodes) + k for k, s in enumerate(np.unique(satellite))})
    left = np.array([nodes["r", int(r)] for r in station], dtype=np.int64)
    right = np.array([nodes["s", int(s)] for s in satellite], dtype=np.int64)
    parent = list(range(len(nodes)))

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

    # Potentials: N_arc = a_station + b_satellite on the tree, so each node is a signed sum of tree arcs.
    potential: list[FloatArray | None] = [None] * len(nodes)
    neighbours: list[list[int]] = [[] for _ in nodes]
    for arc in tree:
        neighbours[left[arc]].append(arc)
        neighbours[right[arc]].append(arc)
    for start in range(len(nodes)):
        if potential[start] is not None:
            continue
        potential[start] = np.zeros(count)
        stack = [start]
        while stack:
            node = stack.pop()
            here = potential[node]
            for arc in neighbours[node]:
                other = int(right[arc] if left[arc] == node else left[arc])
                if potential[other] is None and here is not None:
                    row = -here
                    row[arc] += 1.0
                    potential[other] = row
                    stack.append(other)

    closing.sort()
    basis = np.zeros((len(closing), count))
    for k, arc in enumerate(closing):
        a_row, b_row = potential[left[arc]], potential[right[arc]]
        if a_row is None or b_row is None:  # cannot happen: every node was visited above
            message = "spanning tree does not reach a closing arc"
            raise RuntimeError(message)
        basis[k] = -a_row - b_row
        basis[k, arc] += 1.0
    return np.array(closing, dtype=np.int64), basis
