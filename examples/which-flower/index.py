"""Which flower is this? GET /which_flower?url=... answers with the likeliest of ImageNet's 1000 classes."""

import http.client
import io
import json
import os
import urllib.request

import numpy as np
import onnxruntime
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE = 224  # the model looks at SIDE x SIDE pixels ...
MARGIN = 32  # ... cut out of the middle of a picture this much larger
MAX_BYTES = 10 * 1024 * 1024
FETCH_SECONDS = 10


def load_model():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # at 1024 MB a Lambda function has little more than half a core
    path = os.path.join(HERE, "model.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def load_labels():
    with open(os.path.join(HERE, "labels.txt"), encoding="utf-8") as lines:
        return [line.strip() for line in lines]


# Loaded once, at cold start, and kept for every request that this instance will answer.
session = load_model()
labels = load_labels()


class BadRequest(Exception):
    """The caller's mistake, with the HTTP status that says so."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def which_flower(event, context):
    try:
        url = (event.get("queryStringParameters") or {}).get("url")
        top = classify(decode(fetch(url)))
    except BadRequest as mistake:
        return answer(mistake.status, {"error": str(mistake)})
    return answer(200, {"label": top[0]["label"], "score": top[0]["score"], "top": top})


def fetch(url):
    if not url:
        raise BadRequest(400, "say which picture: /which_flower?url=http://...")
    if not url.lower().startswith(("http://", "https://")):
        raise BadRequest(400, "url must start with http:// or https://, not %r" % url)
    try:
        with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as response:
            picture = response.read(MAX_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException) as why:
        raise BadRequest(422, "cannot fetch %s: %s" % (url, why))
    if len(picture) > MAX_BYTES:
        raise BadRequest(413, "%s is larger than %d bytes" % (url, MAX_BYTES))
    return picture


def decode(picture):
    try:
        return Image.open(io.BytesIO(picture)).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise BadRequest(415, "what is at that url is not a picture, or a broken one")


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


def answer(status, body):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body),
    }
