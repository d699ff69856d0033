"""Uploads a picture as a web page does: asks for a form, fills it in, sends it to where it says.

    python upload.py PICTURE [ADDRESS OF THE API]
"""

import json
import mimetypes
import sys
import urllib.request
import uuid
from pathlib import Path


def filled(fields, picture):
    """The form's body and its type."""
    boundary = uuid.uuid4().hex
    fields = fields | {"Content-Type": mimetypes.guess_type(picture.name)[0]}
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{text}'.encode() for name, text in fields.items()]
    parts.append(
        f'Content-Disposition: form-data; name="file"; filename="{picture.name}"\r\n\r\n'.encode() + picture.read_bytes()
    )
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def main(picture, api="http://127.0.0.1:4566"):
    with urllib.request.urlopen(f"{api}/form") as answer:
        form = json.load(answer)
    body, kind = filled(form["fields"], Path(picture))
    with urllib.request.urlopen(urllib.request.Request(form["url"], body, {"Content-Type": kind})) as answer:
        print(f"{picture}: {answer.status}")


if __name__ == "__main__":
    main(*sys.argv[1:])
