"""A sentiment in one line: how many good words there are, and how many bad ones."""
import json

GOOD, BAD = {"good", "great", "love", "wonderful"}, {"bad", "awful", "boring", "hate"}


def handler(event, context):
    words = json.loads(event["body"])
    score = sum(word in GOOD for word in words) - sum(word in BAD for word in words)
    return {"model": "a", "score": score}
