"""Takes a text apart."""
import re


def handler(event, context):
    return re.findall(r"[a-z']+", event["text"].lower())
