"""The key file of a service account that nobody has: printed, as the vendor's console writes one."""

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
account = {
    "type": "service_account",
    "project_id": "demo-mlemu",
    "private_key_id": "1",
    "private_key": key.private_bytes(*form).decode(),
    "client_email": "signer@demo-mlemu.iam.gserviceaccount.com",
    "client_id": "1",
    "token_uri": "http://127.0.0.1/token",
}
print(json.dumps(account))
