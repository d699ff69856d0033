//! Templates that mean harm, or are broken: read or refused, always soon, never a panic.

use super::tests::{FLOWER, folder, read, read_in, refusal, variables};
use proptest::prelude::*;
use std::fmt::Write;
use std::fs;

#[test]
fn what_refers_to_itself_ends() {
    let (env, warnings) =
        variables("Conditions: {A: !Condition B, B: !Condition A}", "X: !If [A, a, b]\nY: !Ref Uploads");
    assert_eq!((env[0].1.as_str(), warnings.len()), ("b", 1));
    let circle = "\
Resources:
  F: {Type: AWS::Lambda::Function, Properties: {Handler: a, Runtime: x, Code: ., FunctionName: !Sub '${F}${F}'}}
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub '${C}${C}${C}'}}
  C: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub '${B}${B}${B}'}}
";
    let error = read(circle).expect_err("must be refused");
    assert!(error.to_string().contains("template.yaml"), "{error}");
}

#[test]
fn hostile_files_are_refused_with_their_place() {
    let folder = folder(&[]);
    let path = folder.path().join("template.yaml");
    fs::write(&path, b"a: 1\nb: \xff\xfe AWS::").unwrap();
    let error = read_in(folder.path(), &[]).expect_err("not text");
    let at = error.at.expect("a place");
    assert_eq!((error.what.as_str(), at.line, at.column), ("not UTF-8 text", 2, 4));
    fs::write(&path, vec![b' '; 11 << 20]).unwrap();
    assert_eq!(read_in(folder.path(), &[]).expect_err("too large").what, "larger than 10 MB");
    assert_eq!(refusal(&format!("{FLOWER}Resources: {{}}\n")), "15:1: `Resources` is here a second time");
    // A megabyte of resources that refer to themselves.
    let mut large = FLOWER.to_owned();
    for number in 0..15_000 {
        let _ = writeln!(
            large,
            "  R{number}: {{Type: AWS::S3::Bucket, Properties: {{BucketName: !Ref R{number}}}}}"
        );
    }
    assert!(read(&large).is_err());
}

/// Something of everything, so that a change may hit anything.
const SEED: &str = "\
Transform: AWS::Serverless-2016-10-31
Parameters: {Stage: {Type: String, Default: dev}, Names: {Type: CommaDelimitedList, Default: 'a,b'}}
Mappings: {Sizes: {dev: {memory: 256}}}
Conditions: {IsDev: !Equals [!Ref Stage, dev], Not: !Not [!Condition IsDev], Or: !Or [!Condition Not, !Condition IsDev]}
Globals: &globals
  Function: {Runtime: python3.12, Environment: {Variables: {A: !Sub '${Stage}-${!x}-${Uploads.Arn}'}}}
  Api: {Cors: \"'*'\"}
Resources:
  Uploads: {Type: AWS::S3::Bucket, Condition: Or, Properties: {BucketName: !Join ['-', [x, !Select [0, !Split [',', 'b,c']]]]}}
  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: !Base64 xy}}
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: !If [IsDev, index.a, index.b]
      MemorySize: !FindInMap [Sizes, !Ref Stage, memory]
      InlineCode: |
        def a(event, context): pass
      Environment: {Variables: {B: !ToJsonString {a: 1, b: !Ref Names}, C: !GetAtt Jobs.Arn, D: {Ref: AWS::NoValue}}}
      Events:
        A: {Type: Api, Properties: {Path: /a, Method: get}}
        B: {Type: S3, Properties: {Bucket: !Ref Uploads, Events: ['s3:ObjectCreated:*'], Filter: {S3Key: {Rules: [{Name: suffix, Value: x}]}}}}
        C: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 5}}
  G: {<<: *globals, Type: AWS::Lambda::Function, Properties: {Handler: a, Runtime: nodejs20.x, Code: {ZipFile: 'x'}}}
";

#[test]
fn the_seed_itself_is_fine() {
    let loaded = read(SEED).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((loaded.project.functions.len(), loaded.project.warnings), (2, Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to a template, it is read or refused.
    #[test]
    fn mutated_templates_never_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[ -~\n\t\u{e9}]{0,6}|!Ref |!Sub |\\$\\{|- |\\[|\\{|: |&a |\\*a |<<: "), 1..6)
    ) {
        let mut text = SEED.to_owned();
        for (place, removed, inserted) in cuts {
            let start = text.floor_char_boundary(place.index(text.len()));
            let end = text.floor_char_boundary((start + removed).min(text.len()));
            text.replace_range(start..end.max(start), &inserted);
        }
        let folder = folder(&[("template.yaml", &text)]);
        if let Err(error) = read_in(folder.path(), &[]) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
