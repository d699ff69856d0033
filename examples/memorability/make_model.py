"""Makes model.onnx and rose.png. The network tells where a picture has contrast, and how much of it there is.

It stands in for one that was trained on what people remember: what goes in and what comes out is the same, a picture
of 96 by 96 pixels, a score from 0 to 1 and a heat map of 8 by 8.
"""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
SIDE, CELL = 96, 12  # pixels, each way


def network():
    brightness = np.array([0.299, 0.587, 0.114], np.float32).reshape(1, 3, 1, 1)
    around = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float32).reshape(1, 1, 3, 3) / 8
    constants = {"brightness": brightness, "around": around, "one": np.array([1], np.int64)}
    constants |= {"gain": np.array(24, np.float32), "middle": np.array(2, np.float32)}
    nodes = [
        helper.make_node("Conv", ["picture", "brightness"], ["grey"]),
        helper.make_node("Conv", ["grey", "around"], ["edges"], pads=[1, 1, 1, 1]),
        helper.make_node("Abs", ["edges"], ["contrast"]),
        helper.make_node(
            "AveragePool", ["contrast"], ["cells"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]
        ),
        helper.make_node("Squeeze", ["cells", "one"], ["heat"]),
        helper.make_node("ReduceMean", ["heat"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "gain"], ["gained"]),
        helper.make_node("Sub", ["gained", "middle"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["memorability"]),
    ]
    cells = SIDE // CELL
    graph = helper.make_graph(
        nodes,
        "memorability",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("memorability", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("heat", TensorProto.FLOAT, ["N", cells, cells]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def rose(side=192):
    """A picture as PNG: red petals that turn around a middle, on green."""
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    petals = np.cos(5 * angle + 24 * radius) * 0.08 + 0.3
    leaf = radius > petals
    shade = 0.6 + 0.4 * np.sin(40 * radius + 5 * angle)
    red, green, blue = np.where(leaf, 0.2, shade), np.where(leaf, 0.5, 0.1), np.where(leaf, 0.2, 0.25 * shade)
    pixels = (np.stack([red, green, blue], axis=-1) * 255).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        png += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png


def main(folder=HERE):
    model = network()
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    (folder / "rose.png").write_bytes(rose())
    print(f"model.onnx: {(folder / 'model.onnx').stat().st_size} bytes, rose.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))  # into this folder, or into another one
