"""Drops patients into the bucket `rows`: so many of all ages, and one with holes."""

import json
import sys

import boto3

FIRST = {"age": 59, "sex": 2, "bmi": 32.1, "bp": 101, "s1": 157, "s2": 93.2, "s3": 38, "s4": 4, "s5": 4.8598, "s6": 87}


def main():
    count = int(sys.argv[1])
    s3 = boto3.client("s3")
    for number in range(count):
        patient = {**FIRST, "age": 20 + number % 60}
        s3.put_object(Bucket="rows", Key=f"patient-{number:03}.json", Body=json.dumps(patient))
    s3.put_object(Bucket="rows", Key="broken.json", Body=json.dumps({"age": 59}))
    print(f"{count + 1} rows")


if __name__ == "__main__":
    main()
