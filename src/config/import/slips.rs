//! Slips of those who write templates: said where they stand, with what was meant.

use super::tests::{FLOWER, folder, read, read_in};

/// The warnings about a template with the function `F`.
fn warnings(properties: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let text = format!(
        "Transform: AWS::Serverless-2016-10-31\nParameters: {{Mem: {{Type: Number}}}}\nResources:\n  F:\n    \
         Type: AWS::Serverless::Function\n    Properties:\n      Handler: a.b\n      Runtime: python3.12\n{properties}"
    );
    let folder = folder(&[("template.yaml", &text), ("a.py", "")]);
    read_in(folder.path(), parameters).unwrap_or_else(|error| panic!("{error}")).project.warnings
}

#[test]
fn misspelt_properties_are_named_and_unused_ones_are_not() {
    assert_eq!(
        warnings("      MemorySise: 1024\n      Evnets: {}\n      Zzz: 1\n", &[]),
        [
            "template.yaml:9: unknown property MemorySise of F; did you mean MemorySize?",
            "template.yaml:10: unknown property Evnets of F; did you mean Events?",
            "template.yaml:11: unknown property Zzz of F",
        ]
    );
    assert_eq!(
        warnings("      Tracing: Active\n      SnapStart: {ApplyOn: None}\n      Policies: []\n", &[]),
        Vec::<String>::new()
    );
}

#[test]
fn a_forgotten_transform_is_said_and_changes_nothing() {
    let text = FLOWER.replace("Transform: AWS::Serverless-2016-10-31\n", "");
    let project = read(&text).unwrap_or_else(|error| panic!("{error}")).project;
    assert_eq!(project.functions[0].name, "WhichFlower");
    assert_eq!(
        project.warnings,
        ["template.yaml:3: WhichFlower is an AWS::Serverless::Function but `Transform: \
          AWS::Serverless-2016-10-31` is missing"]
    );
}

#[test]
fn what_has_no_value_says_what_follows_and_what_helps() {
    assert_eq!(
        warnings("      MemorySize: !Ref Mem\n", &[]),
        [
            "template.yaml:9: MemorySize is `Ref Mem`, which has no value here: F gets 128 MB; give it a Default, \
          or a value with `--parameter Mem=...`"
        ]
    );
    assert_eq!(warnings("      MemorySize: !Ref Mem\n", &[("Mem", "300")]), Vec::<String>::new());
    let env = |value: &str| warnings(&format!("      Environment: {{Variables: {{X: {value}}}}}\n"), &[]);
    assert_eq!(
        env("!GetAtt Q.Arn"),
        [
            "template.yaml:9: `Fn::GetAtt Q.Arn` cannot be resolved on this machine; there is no resource Q in \
          this template"
        ]
    );
    assert_eq!(
        env("!Ref Nothing"),
        [
            "template.yaml:9: `Ref Nothing` cannot be resolved on this machine; there is no parameter or resource \
          Nothing in this template"
        ]
    );
}

#[test]
fn values_for_parameters_that_are_not_there_are_refused() {
    let folder = folder(&[("template.yaml", &format!("Parameters: {{Mem: {{Type: Number}}}}\n{FLOWER}"))]);
    let error = read_in(folder.path(), &[("Men", "300")]).expect_err("no such parameter");
    assert_eq!(error.what, "there is no parameter `Men`");
    assert_eq!(error.hint.as_deref(), Some("did you mean `--parameter Mem=...`?"));
}

#[test]
fn runtimes_that_cannot_be_are_said() {
    for (runtime, said) in [
        ("pyton3.12", "there is no runtime `pyton3.12` in Lambda; did you mean `python3.12`?"),
        (
            "java17",
            "functions of runtime `java17` cannot run here yet: python3.x, nodejsNN.x, provided.* and onnx can",
        ),
    ] {
        let project = read(&FLOWER.replace("python3.6", runtime)).unwrap().project;
        assert_eq!(project.warnings, [format!("template.yaml:8: WhichFlower: {said}")]);
    }
}

#[test]
fn resources_that_somebody_may_miss_are_named() {
    let others = "  G: {Type: 'AWS::Serverless::Funktion'}\n  T: {Type: 'AWS::DynamoDB::Table'}\n  R: {Type: \
                  'AWS::IAM::Role'}\n  E: {Type: 'AWS::Events::Endpoint'}\n  C: {Type: 'Custom::Thing'}\n";
    let table = "      Environment: {Variables: {TABLE: !Ref T}}\n";
    assert_eq!(
        warnings(&format!("{table}{others}"), &[]),
        [
            "template.yaml:9: `Ref T` cannot be resolved on this machine; T is of AWS::DynamoDB::Table, which has \
             no such value here: give one in mlemu.toml, under [functions.NAME.env]",
            "template.yaml:10: `G` is left out: unknown type AWS::Serverless::Funktion; did you mean \
             AWS::Serverless::Function?",
            "template.yaml:11: `T` is left out: mlemu has no DynamoDB",
            "template.yaml:14: `C` is left out: custom resources are not run",
        ]
    );
}
