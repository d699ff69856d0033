"""Is this review kind? The twin of ../sentiment: by HTTP, and for every review that is put into a container or a queue."""

import json
import logging

import azure.functions as func
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

LONGEST = 10_000

# Loaded once, when the worker starts, for all functions of the app.
analyzer = SentimentIntensityAnalyzer()

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="sentiment", methods=["POST"])
def sentiment(req: func.HttpRequest) -> func.HttpResponse:
    """{"text": ...} in, its scores out."""
    try:
        question = req.get_json()
    except ValueError:
        question = None
    text = question.get("text") if isinstance(question, dict) else None
    if not isinstance(text, str) or len(text) > LONGEST:
        return response(400, {"error": f"send a JSON object with a text of at most {LONGEST} characters"})
    return response(200, scores(text))


@app.blob_trigger(arg_name="review", path="reviews/{name}.txt", connection="AzureWebJobsStorage")
@app.blob_output(arg_name="found", path="scores/{name}.txt.json", connection="AzureWebJobsStorage")
def review_stored(review: func.InputStream, found: func.Out[str]) -> None:
    """Reads the review and writes its scores under the same name."""
    said = scores(review.read().decode()[:LONGEST])
    found.set(json.dumps(said))
    logging.info("%s is %s", review.name, said["mood"])


@app.queue_trigger(arg_name="review", queue_name="reviews", connection="AzureWebJobsStorage")
def review_sent(review: func.QueueMessage) -> None:
    """Reads the review from the message and says what it found."""
    logging.info("the review that was sent is %s", scores(review.get_body().decode()[:LONGEST])["mood"])


def scores(text):
    found = analyzer.polarity_scores(text)
    mood = "kind" if found["compound"] >= 0.05 else "unkind" if found["compound"] <= -0.05 else "neutral"
    return {"mood": mood, **found}


def response(status, body):
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")
