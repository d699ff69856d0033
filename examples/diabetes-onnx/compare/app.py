"""The forest of model.onnx in Python: what most people would deploy of it."""

from pathlib import Path

import numpy
import onnxruntime

# One thread, as the function has at most one core.
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(str(Path(__file__).with_name("model.onnx")), options)


def predict(event, context):
    rows = numpy.array([event["features"]], dtype=numpy.float32)
    (prediction,) = session.run(None, {"X": rows})
    return {"prediction": float(prediction[0, 0])}
