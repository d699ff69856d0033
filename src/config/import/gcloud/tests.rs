//! What deployments in files declare.

use super::read;
use mlemu_core::declare::{FunctionDeclaration, TriggerDeclaration};

fn of(files: &[(&str, &str)]) -> (Vec<FunctionDeclaration>, Vec<String>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (imported, _) = read(folder.path(), "demo-p");
    (imported.functions, imported.warnings, folder)
}

const SCRIPT: &str = r#"#!/bin/bash
set -e
REGION=europe-west1
NAME="score-${STAGE:-dev}"
# gcloud functions deploy not-this --runtime python311
gcloud beta functions deploy "$NAME" --region $REGION --quiet \
  --gen2 --runtime=python311 --entry-point main --source ./code \
  --memory 512Mi --timeout=30s --concurrency=8 --max-instances 3 --min-instances=1 \
  --set-env-vars "A=1,B=two words" --trigger-http --allow-unauthenticated && echo done
gcloud functions deploy stored --no-gen2 --runtime nodejs20 --trigger-bucket=gs://garden/ --retry
gcloud functions deploy told --runtime python312 --trigger-topic projects/$PROJECT_ID/topics/news; gcloud functions list
gcloud functions deploy "$UNKNOWN" --runtime python312 --trigger-http
"#;

#[test]
fn a_script() {
    let (functions, warnings, folder) = of(&[("deploy.sh", SCRIPT), ("code/main.py", "")]);
    let [score, stored, told] = &functions[..] else { panic!("{functions:#?}") };
    assert_eq!((score.name.as_str(), score.handler.as_str(), score.from.line), ("score-dev", "main", 6));
    assert_eq!((score.runtime.as_str(), score.source.clone()), ("python311", folder.path().join("code")));
    assert_eq!((score.memory, score.timeout.unwrap().as_secs()), (Some(512 << 20), 30));
    assert_eq!((score.concurrency, score.env["B"].as_str()), (Some(3), "two words"));
    let options: Vec<_> = score.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(options, ["generation=2", "instance_concurrency=8", "min_instances=1"]);
    assert!(score.triggers.is_empty());
    assert_eq!((stored.options["generation"].as_str(), stored.options["retry"].as_str()), ("1", "true"));
    assert!(matches!(&stored.triggers[..], [TriggerDeclaration::Bucket { bucket, events, .. }]
        if bucket == "garden" && events[0] == "google.storage.object.finalize"));
    assert!(matches!(&told.triggers[..], [TriggerDeclaration::Queue { queue, .. }] if queue == "news"));
    assert_eq!(
        warnings,
        ["deploy.sh:12: `$UNKNOWN` is left out: its name is not known before it is deployed"]
    );
}

#[test]
fn a_makefile() {
    let text = "NAME := score\nRUNTIME ?= python313\n\ndeploy:\n\t@gcloud functions deploy $(NAME) --runtime=$(RUNTIME) --trigger-http\n\tgcloud functions deploy $(shell git branch) --runtime=python313\n";
    let (functions, warnings, _) = of(&[("Makefile", text)]);
    assert_eq!(
        (functions.len(), functions[0].name.as_str(), functions[0].runtime.as_str()),
        (1, "score", "python313")
    );
    assert_eq!(warnings.len(), 1);
}

const BUILD: &str = r"
substitutions:
  _NAME: score
steps:
- name: gcr.io/google.com/cloudsdktool/cloud-sdk
  args:
  - gcloud
  - functions
  - deploy
  - other
- name: 'gcr.io/google.com/cloudsdktool/cloud-sdk'
  entrypoint: gcloud
  dir: code
  args: ['functions', 'deploy', '$_NAME', '--gen2', '--runtime=python311', '--source=.',
         '--trigger-event-filters=type=google.cloud.storage.object.v1.deleted', '--trigger-event-filters=bucket=garden']
- name: gcr.io/google.com/cloudsdktool/cloud-sdk
  entrypoint: bash
  args:
  - -c
  - |
    echo hello
    gcloud functions deploy told --runtime python311 \
      --trigger-topic news
";

#[test]
fn cloud_build() {
    let (functions, _, folder) = of(&[("cloudbuild.yaml", BUILD), ("code/main.py", "")]);
    let [score, told] = &functions[..] else { panic!("{functions:#?}") };
    assert_eq!((score.name.as_str(), score.source.clone()), ("score", folder.path().join("code")));
    assert!(matches!(&score.triggers[..], [TriggerDeclaration::Bucket { events, .. }]
        if events[0] == "google.cloud.storage.object.v1.deleted"));
    assert_eq!(told.name, "told");
    let (none, ..) = of(&[("cloudbuild.yaml", "steps: [functions deploy")]);
    assert!(none.is_empty(), "what is no YAML deploys nothing");
}

#[test]
fn what_is_odd_is_said_or_passed_over() {
    let text = "gcloud functions deploy\ngcloud functions deploy f\ngcloud functions deploy g --runtime python311 --trigger-event google.firebase.x --trigger-resource y\ngcloud functions deploy g --runtime python311\necho gcloud functions deploy 'unfinished\ngcloud functions deploy h --runtime python311 --set-env-vars ^:^A=1,2:B=3 --trigger-event providers/cloud.pubsub/eventTypes/topic.publish --trigger-resource t";
    let (functions, warnings, _) = of(&[("x.sh", text)]);
    assert_eq!(functions.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["g", "h"]);
    assert_eq!(functions[1].env["A"], "1,2");
    assert!(matches!(&functions[1].triggers[..], [TriggerDeclaration::Queue { queue, .. }] if queue == "t"));
    assert_eq!(warnings.len(), 5, "{warnings:#?}");
}
