"""Uploads a picture as a web page does: asks for a form, fills it in, sends it to where it says.

    API_URL=https://... python upload.py PICTURE
"""

import json
import mimetypes
import os
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path

# On a developer's machine AWS is elsewhere, and so are its APIs.
API = os.environ.get("AWS_ENDPOINT_URL") or os.environ["API_URL"]


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


def main(picture):
    with urllib.request.urlopen(f"{API}/form") as answer:
        form = json.load(answer)
    body, kind = filled(form["fields"], Path(picture))
    try:
        with urllib.request.urlopen(urllib.request.Request(form["url"], body, {"Content-Type": kind})) as answer:
            print(f"{picture}: {answer.status}")
    except urllib.error.HTTPError as error:
        sys.exit(f"{picture}: {error.status} {error.read().decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
