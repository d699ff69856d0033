"""An A/B split: two versions of `Judge` behind one alias, one call in five for the newer.

    python split.py [CALLS]
"""
import collections
import io
import json
import sys
import zipfile
from pathlib import Path

import boto3

CODE = (Path(__file__).parent / "judge/app.py").read_text()
NAME, ALIAS = "JudgeAB", "live"

functions = boto3.client("lambda")


def zipped(code):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", code)
    return file.getvalue()


def published(code):
    """The number of a version that runs `code`."""
    known = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    if NAME in known:
        made = functions.update_function_code(FunctionName=NAME, ZipFile=zipped(code), Publish=True)
    else:
        made = functions.create_function(
            FunctionName=NAME, Runtime="python3.12", Handler="app.handler", Code={"ZipFile": zipped(code)},
            Role="arn:aws:iam::000000000000:role/any", Publish=True)
    functions.get_waiter("published_version_active").wait(FunctionName=NAME, Qualifier=made["Version"])
    return made["Version"]


def main(calls):
    older, newer = published(CODE), published(CODE.replace('"model": "a"', '"model": "b"'))
    split = {"FunctionName": NAME, "Name": ALIAS, "FunctionVersion": older,
             "RoutingConfig": {"AdditionalVersionWeights": {newer: 0.2}}}
    aliases = [one["Name"] for one in functions.list_aliases(FunctionName=NAME)["Aliases"]]
    (functions.update_alias if ALIAS in aliases else functions.create_alias)(**split)
    event = json.dumps({"body": json.dumps(["good", "great", "boring"])})
    seen = collections.Counter()
    for _ in range(calls):
        answer = functions.invoke(FunctionName=f"{NAME}:{ALIAS}", Payload=event)
        seen[json.load(answer["Payload"])["model"]] += 1
    for model, count in sorted(seen.items()):
        print(f"model {model} answered {count / calls:.0%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
