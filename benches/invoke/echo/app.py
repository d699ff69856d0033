"""The function that the benchmark calls: it answers with what it got, and with its own version."""

VERSION = "v-old"


def handler(event, context):
    return {"version": VERSION, "event": event}
