#!/bin/sh
# Puts the function into Google's cloud. mlemu reads this line to know what is deployed, and never runs it.
gcloud functions deploy diabetes-gcf --gen2 --runtime python312 --entry-point predict --source . \
  --memory 1GB --timeout 30s --trigger-http --allow-unauthenticated
