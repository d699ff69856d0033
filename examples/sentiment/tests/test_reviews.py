"""Reviews in buckets and topics, for pytest with mlemu's plugin; Google's client libraries are not needed."""

import json

import pytest


@pytest.mark.parametrize("review, mood", [
    ("What a wonderful garden", "kind"),
    ("I hate wilted roses", "unkind"),
    ("There are flowers", "neutral"),
])
def test_a_stored_review_is_scored_beside_it(mlemu, review, mood):
    mlemu.wait_trace(mlemu.put("reviews", "spring/monday.txt", review.encode()))
    assert json.loads(mlemu.get("scores", "spring/monday.txt.json"))["mood"] == mood
    assert mlemu.objects("scores") == ["spring/monday.txt.json"]


def test_a_published_review_is_read(mlemu):
    mlemu.wait_trace(mlemu.send("reviews", b"What a wonderful garden"))
    (line,) = mlemu.invocation("last")["log"]
    assert line["text"] == "the published review is kind"


def test_a_text_too_long_is_refused(mlemu):
    refused = mlemu.invoke("sentiment", {"text": "a" * 10_001}, check=False)
    assert "at most 10000 characters" in json.dumps(refused.result)
