"""Objects, tuples and shared references through pickle."""
import pickle


class Node:
    def __init__(self, name, value):
        self.name = name
        self.value = value
        self.links = []


def graph(size):
    nodes = [Node("node%d" % i, (i, float(i), [i] * 3)) for i in range(size)]
    for i, node in enumerate(nodes):
        node.links = [nodes[(i * 7 + k) % size] for k in range(3)]
    return {"nodes": {n.name: n for n in nodes}, "order": [n.value for n in nodes]}


def bench(n):
    data = graph(60)
    total = 0
    for i in range(n):
        blob = pickle.dumps(data, protocol=2 + i % 4)
        total += len(blob) + len(pickle.loads(blob)["nodes"])
    return total
