"""A network of four layers with ReLU between them, 4-6-6-6-1, on one example, and its eight gradients.

The forward pass appears twice, as it is usually written: with ``W1`` to ``W4``, and with lists.
"""

import numpy

import chainrule as cr

# fmt: off
X = numpy.array([[-1.086, 0.997, 0.283, -1.506]])
T = numpy.array([[-0.579]])
W1 = numpy.array([
    [-0.339, -0.047, 0.746, -0.319, -0.222, -0.217],
    [1.103, 1.093, 0.502, 0.193, 0.369, 0.745],
    [-0.468, 0.588, -0.627, -0.319, 0.454, -0.714],
    [-0.070, -0.431, -0.128, -1.399, -0.886, -0.350],
])
W2 = numpy.array([
    [0.379, -0.071, 0.001, 0.281, -0.359, 0.116],
    [-0.329, -0.705, -0.160, 0.234, 0.138, -0.005],
    [0.977, 0.169, 0.400, 0.914, -0.528, -0.424],
    [0.712, -0.326, 0.012, 0.437, 0.364, 0.716],
    [0.611, 0.437, -0.315, 0.325, 0.128, -0.541],
    [0.579, 0.330, 0.019, -0.095, -0.489, 0.081],
])
W3 = numpy.array([
    [0.191, -0.339, 0.474, -0.448, -0.867, 0.424],
    [-0.165, -0.051, -0.342, -0.656, 0.512, -0.281],
    [0.678, 0.330, -0.128, -0.443, -0.299, -0.495],
    [0.852, 0.067, 0.470, -0.517, 0.074, 0.481],
    [-0.137, 0.421, -0.443, -0.557, 0.155, -0.155],
    [0.262, -0.807, 0.291, 1.061, -0.010, 0.014],
])
W4 = numpy.array([
    [0.073],
    [-0.760],
    [0.174],
    [-0.655],
    [-0.175],
    [0.507],
])
B1 = numpy.array([-0.760, 0.174, -0.655, -0.175, 0.507, -0.300])
B2 = numpy.array([0.205, 0.413, 0.114, -0.560, -0.136, 0.800])
B3 = numpy.array([-0.827, -0.113, -0.225, 0.049, 0.305, 0.657])
B4 = numpy.array([-0.270])
# fmt: on


def error(W1, W2, W3, W4, B1, B2, B3, B4):
    """The mean squared error of the network on ``X`` and ``T``."""
    Z1 = X.dot(W1) + B1
    A1 = numpy.maximum(0, Z1)
    Z2 = A1.dot(W2) + B2
    A2 = numpy.maximum(0, Z2)
    Z3 = A2.dot(W3) + B3
    A3 = numpy.maximum(0, Z3)
    Y = A3.dot(W4) + B4
    err = ((Y - T) ** 2).mean()
    return err


def error_of_lists(W, B):
    """The same error, of a list of weights and a list of biases."""
    Z1 = X.dot(W[0]) + B[0]
    A1 = numpy.maximum(0, Z1)
    Z2 = A1.dot(W[1]) + B[1]
    A2 = numpy.maximum(0, Z2)
    Z3 = A2.dot(W[2]) + B[2]
    A3 = numpy.maximum(0, Z3)
    Y = A3.dot(W[3]) + B[3]
    err = ((Y - T) ** 2).mean()
    return err


def gradients():
    """The gradients of the error, by the name of the parameter."""
    names = ("W1", "W2", "W3", "W4", "B1", "B2", "B3", "B4")
    found = cr.grad(error, argnums=tuple(range(8)))(W1, W2, W3, W4, B1, B2, B3, B4)
    return dict(zip(names, found, strict=True))


def gradients_of_lists():
    """The gradients of the error with lists, as two lists: of the weights and of the biases."""
    return cr.grad(error_of_lists, argnums=(0, 1))([W1, W2, W3, W4], [B1, B2, B3, B4])


if __name__ == "__main__":
    for name, gradient in gradients().items():
        print(f"d{name}:\n{gradient}\n")
