"""Is this review kind? VADER's lexicon tells, by HTTP and for every review that is put into a bucket or published."""

import base64
import json
import os

import functions_framework
from google.cloud import storage
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

LONGEST = 10_000

# Loaded once, at cold start, and kept for every request that this instance will answer.
analyzer = SentimentIntensityAnalyzer()
bucket = storage.Client().bucket(os.environ.get("SCORES", "scores"))


@functions_framework.http
def sentiment(request):
    """{"text": ...} in, its scores out."""
    question = request.get_json(silent=True)
    text = question.get("text") if isinstance(question, dict) else None
    if not isinstance(text, str) or len(text) > LONGEST:
        return {"error": f"send a JSON object with a text of at most {LONGEST} characters"}, 400
    return scores(text)


@functions_framework.cloud_event
def review_stored(event):
    """Reads the review and writes its scores under the same name."""
    name = event.data["name"]
    text = storage.Client().bucket(event.data["bucket"]).blob(name).download_as_text()
    found = scores(text[:LONGEST])
    bucket.blob(name + ".json").upload_from_string(json.dumps(found), content_type="application/json")
    print(f"{name} is {found['mood']}")


@functions_framework.cloud_event
def review_published(event):
    """Reads the review from the message and says what it found."""
    text = base64.b64decode(event.data["message"]["data"]).decode()
    print(f"the published review is {scores(text[:LONGEST])['mood']}")


def scores(text):
    found = analyzer.polarity_scores(text)
    mood = "kind" if found["compound"] >= 0.05 else "unkind" if found["compound"] <= -0.05 else "neutral"
    return {"mood": mood, **found}
