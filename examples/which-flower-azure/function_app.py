"""Which flower is this? Every picture in the container `pictures` gets its label. The twin of ../which-flower."""

import io
import json
import logging
from pathlib import Path

import azure.functions as func
import numpy as np
import onnxruntime
from PIL import Image

HERE = Path(__file__).resolve().parent
SIDE = 224  # the model looks at SIDE x SIDE pixels ...
MARGIN = 32  # ... cut out of the middle of a picture this much larger


def load_model():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # an instance of the Consumption plan has one core
    return onnxruntime.InferenceSession(HERE / "model.onnx", options, providers=["CPUExecutionProvider"])


# Loaded once, when the worker starts, for all functions of the app.
session = load_model()
labels = (HERE / "labels.txt").read_text(encoding="utf-8").splitlines()

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.blob_trigger(arg_name="picture", path="pictures/{name}", connection="AzureWebJobsStorage")
@app.blob_output(arg_name="found", path="labels/{name}.json", connection="AzureWebJobsStorage")
def which_flower(picture: func.InputStream, found: func.Out[str]) -> None:
    top = classify(Image.open(io.BytesIO(picture.read())).convert("RGB"))
    found.set(json.dumps({"label": top[0]["label"], "score": top[0]["score"], "top": top}))
    logging.info("%s is a %s", picture.name, top[0]["label"])


@app.route(route="which_flower", methods=["POST"])
def which_flower_now(req: func.HttpRequest) -> func.HttpResponse:
    """The same for a picture in the body of a request."""
    try:
        image = Image.open(io.BytesIO(req.get_body())).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return response(415, {"error": "the body is not a picture, or a broken one"})
    top = classify(image)
    return response(200, {"label": top[0]["label"], "score": top[0]["score"], "top": top})


def classify(image, count=5):
    (scores,) = session.run(["probabilities"], {"image": to_tensor(image)})
    best = np.argsort(scores[0])[::-1][:count]
    return [{"label": labels[i], "score": round(float(scores[0][i]), 4)} for i in best]


def to_tensor(image):
    """The middle of the picture as the model wants it: [1, 3, SIDE, SIDE], each value about -1 to 1."""
    width, height = image.size
    side = min(width, height) * SIDE / (SIDE + MARGIN)
    left, top = (width - side) / 2, (height - side) / 2
    image = image.resize((SIDE, SIDE), Image.BICUBIC, box=(left, top, left + side, top + side))
    pixels = (np.asarray(image, dtype=np.float32) - 127) / 128
    return pixels.transpose(2, 0, 1)[np.newaxis]


def response(status, body):
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")
