//! Templates in, declarations out.

use crate::config::{ConfigError, Loaded, Overrides, load};
use mlemu_core::declare::{Cors, FunctionDeclaration, HttpForm, QueueOptions, TriggerDeclaration};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A folder with these files.
pub(super) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

pub(super) fn read_in(folder: &Path, parameters: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let parameters = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    load(folder, &Overrides { parameters, cache_dir: Some(folder.join("cache")), ..Overrides::default() })
}

pub(super) fn read(template: &str) -> Result<Loaded, ConfigError> {
    let folder = folder(&[("template.yaml", template), ("a.py", ""), ("app.py", ""), ("index.py", "")]);
    read_in(folder.path(), &[])
}

fn functions(template: &str) -> Vec<FunctionDeclaration> {
    read(template).unwrap_or_else(|error| panic!("{error}")).project.functions
}

/// The variables of the only function, in a template whose function is `F`.
pub(super) fn variables(sections: &str, variables: &str) -> (Vec<(String, String)>, Vec<String>) {
    let mut template = format!(
        "{sections}\nTransform: AWS::Serverless-2016-10-31\nResources:\n  Uploads: {{Type: AWS::S3::Bucket}}\n  \
         Jobs: {{Type: AWS::SQS::Queue}}\n  Table: {{Type: AWS::ECR::Repository}}\n  F:\n    \
         Type: AWS::Serverless::Function\n    Properties:\n      Handler: app.handler\n      \
         Runtime: python3.12\n      Environment:\n        Variables:\n"
    );
    for line in variables.lines() {
        let _ = writeln!(template, "          {line}");
    }
    let project = read(&template).unwrap_or_else(|error| panic!("{error}\n{template}")).project;
    let mut env = project.functions[0].env.clone();
    env.remove("AWS_SAM_LOCAL");
    (env.into_iter().collect(), project.warnings)
}

fn value(sections: &str, expression: &str) -> String {
    let (env, warnings) = variables(sections, &format!("X: {expression}"));
    assert_eq!(warnings, Vec::<String>::new(), "{expression}");
    env.into_iter().map(|(_, value)| value).next().unwrap_or_else(|| "(nothing)".into())
}

pub(super) fn refusal(template: &str) -> String {
    let error = read(template).expect_err("must be refused");
    let place = error.at.map(|at| format!("{}:{}: ", at.line, at.column)).unwrap_or_default();
    format!("{place}{}", error.what)
}

pub(super) const FLOWER: &str = "\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  WhichFlower:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.which_flower
      Runtime: python3.6
      Events:
        Get:
          Type: Api
          Properties:
            Path: /which_flower
            Method: get
";

#[test]
fn the_template_of_2019_is_read_unchanged() {
    for text in [FLOWER.to_owned(), format!("\u{feff}{}", FLOWER.replace('\n', "\r\n"))] {
        let folder = folder(&[("template.yaml", &text), ("index.py", "")]);
        let loaded = read_in(folder.path(), &[]).unwrap();
        let [function] = loaded.project.functions.as_slice() else { panic!("one function") };
        assert_eq!((function.name.as_str(), function.alias.as_ref()), ("WhichFlower", None));
        assert_eq!(
            (function.handler.as_str(), function.runtime.as_str()),
            ("index.which_flower", "python3.6")
        );
        assert_eq!(function.source, folder.path());
        assert_eq!((function.memory, function.timeout), (Some(128 << 20), Some(Duration::from_secs(3))));
        assert_eq!(function.env.get("AWS_SAM_LOCAL").map(String::as_str), Some("true"));
        assert_eq!(
            function.triggers,
            [TriggerDeclaration::Http {
                api: "ServerlessRestApi".into(),
                method: "GET".into(),
                path: "/which_flower".into(),
                form: HttpForm::Rest,
                cors: None,
            }]
        );
        assert_eq!((function.from.file.as_path(), function.from.line), (Path::new("template.yaml"), 4));
        assert_eq!(loaded.files, [folder.path().join("template.yaml")]);
        assert_eq!(loaded.project.warnings, Vec::<String>::new());
    }
}

#[test]
fn intrinsics_in_both_forms() {
    let parameters = "Parameters:\n  Stage: {Type: String, Default: dev}\n  Zones: {Type: CommaDelimitedList, Default: 'a, b'}";
    for (expression, expected) in [
        ("!Ref Stage", "dev"),
        ("{Ref: Stage}", "dev"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::AccountId", "000000000000"),
        ("!Ref Uploads", "local-uploads"),
        ("!Ref F", "F"),
        ("!Ref Jobs", "http://127.0.0.1:4566/000000000000/local-Jobs"),
        ("!GetAtt F.Arn", "arn:aws:lambda:us-east-1:000000000000:function:F"),
        ("!GetAtt [Uploads, Arn]", "arn:aws:s3:::local-uploads"),
        ("{'Fn::GetAtt': Jobs.QueueName}", "local-Jobs"),
        (
            "!Sub '${Stage}-${!Stage}-${AWS::StackName}-${Uploads.Arn}'",
            "dev-${Stage}-local-arn:aws:s3:::local-uploads",
        ),
        ("!Sub ['${a}/${Stage}', {a: !Ref Uploads}]", "local-uploads/dev"),
        ("{'Fn::Sub': 'x-${Stage}'}", "x-dev"),
        ("!Join ['-', [a, !Ref Stage, c]]", "a-dev-c"),
        ("!Join ['+', !Ref Zones]", "a+ b"),
        ("!Select [1, !Split ['|', 'x|y|z']]", "y"),
        ("!Base64 hello", "aGVsbG8="),
        ("{'Fn::Base64': {'Fn::Sub': '${Stage}'}}", "ZGV2"),
        (
            "{'Fn::ToJsonString': {a: 1, b: [true, '2'], c: !Ref Stage}}",
            r#"{"a":1,"b":[true,"2"],"c":"dev"}"#,
        ),
        ("!Ref AWS::NoValue", "(nothing)"),
        ("1.0", "1.0"),
        ("true", "true"),
        ("", "(nothing)"),
    ] {
        assert_eq!(value(parameters, expression), expected, "{expression}");
    }
}

#[test]
fn mappings_and_conditions_choose() {
    let sections = "\
Parameters: {Stage: {Type: String, Default: prod}}
Mappings: {Sizes: {prod: {memory: 1024}, dev: {memory: 128}}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Both: !And [!Condition IsProd, {Condition: IsDev}]
  Any: !Or [!Condition IsProd, !Condition IsDev]
";
    for (expression, expected) in [
        ("!FindInMap [Sizes, !Ref Stage, memory]", "1024"),
        ("!FindInMap [Sizes, none, memory, {DefaultValue: 3}]", "3"),
        ("!If [IsProd, yes, no]", "yes"),
        ("{'Fn::If': [IsDev, a, !Ref AWS::NoValue]}", "(nothing)"),
        ("!If [Both, a, b]", "b"),
        ("!If [Any, a, b]", "a"),
    ] {
        assert_eq!(value(sections, expression), expected, "{expression}");
    }
}

#[test]
fn what_cannot_be_known_is_a_placeholder_and_a_warning() {
    let parameters = "Parameters: {Secret: {Type: String}}";
    for (expression, expected) in [
        ("!Ref Secret", "mlemu-unresolved-Ref Secret"),
        ("!Ref Table", "mlemu-unresolved-Ref Table"),
        ("!ImportValue other-stack", "mlemu-unresolved-Fn::ImportValue other-stack"),
        ("!Sub 'a-${Table.Arn}'", "a-mlemu-unresolved-Table.Arn"),
        ("!Select [9, [a]]", "mlemu-unresolved-Fn::Select"),
        ("'{{resolve:ssm:/x:1}}'", "mlemu-unresolved-{{resolve:ssm:/x:1}}"),
        ("{'Fn::Transform': {Name: AWS::Include}}", "mlemu-unresolved-Fn::Transform"),
    ] {
        let (env, warnings) = variables(parameters, &format!("X: {expression}"));
        assert_eq!(env, [("X".to_owned(), expected.to_owned())]);
        assert_eq!(warnings.len(), 1, "{expression}: {warnings:?}");
        assert!(warnings[0].starts_with("template.yaml:14: "), "{warnings:?}");
    }
}

#[test]
fn parameters_come_from_the_command_line_then_the_files() {
    let template = "\
Transform: AWS::Serverless-2016-10-31
Parameters: {A: {Type: String, Default: a0}, B: {Type: String, Default: b0}, C: {Type: String, Default: c0}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      {Handler: a.b, Runtime: nodejs20.x, Environment: {Variables: {X: !Sub '${A} ${B} ${C}'}}}
";
    let folder = folder(&[
        ("infra/main.yaml", template),
        ("samconfig.toml", "[default.global.parameters]\ntemplate_file = 'infra/main.yaml'\n"),
        (
            "infra/samconfig.toml",
            "[default.local_invoke.parameters]\nparameter_overrides = 'A=a1 B=\"b 1\"'\n",
        ),
        ("mlemu.toml", "[aws.parameters]\nB = 'b2'\n"),
    ]);
    let loaded = read_in(folder.path(), &[("C", "c3")]).unwrap();
    let function = &loaded.project.functions[0];
    assert_eq!(function.env["X"], "a1 b2 c3");
    assert_eq!(function.source, folder.path().join("infra"));
    assert_eq!(loaded.files.len(), 4, "{:?}", loaded.files);
}

#[test]
fn globals_lie_under_every_function() {
    let found = functions(
        "\
Transform: [AWS::Serverless-2016-10-31]
Globals:
  Function: {Runtime: python3.12, MemorySize: 512, Timeout: 10, Environment: {Variables: {A: global, B: global}}}
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {Handler: a.one}}
  Two:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: second
      Handler: a.two
      MemorySize: 1024
      EphemeralStorage: {Size: 2048}
      ReservedConcurrentExecutions: 2
      Environment: {Variables: {B: own}}
",
    );
    assert_eq!((found[0].memory, found[0].timeout), (Some(512 << 20), Some(Duration::from_secs(10))));
    assert_eq!((found[1].name.as_str(), found[1].alias.as_deref()), ("second", Some("Two")));
    assert_eq!(
        (found[1].memory, found[1].tmp, found[1].concurrency),
        (Some(1 << 30), Some(2 << 30), Some(2))
    );
    assert_eq!((found[1].env["A"].as_str(), found[1].env["B"].as_str()), ("global", "own"));
}

#[test]
fn events_become_triggers() {
    let loaded = read(
        "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Api: {Cors: \"'https://a.example'\"}
  HttpApi: {CorsConfiguration: {AllowOrigins: ['*'], AllowMethods: [GET], MaxAge: 60, AllowCredentials: true}}
Resources:
  Uploads: {Type: AWS::S3::Bucket, Properties: {BucketName: uploads}}
  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs, VisibilityTimeout: 60}}
  Mine: {Type: AWS::Serverless::Api, Properties: {StageName: v1, Cors: {AllowOrigin: \"'x'\", AllowMethods: \"'GET,PUT'\"}}}
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.12
      FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}
      Events:
        A: {Type: Api, Properties: {Path: '/a/{id}', Method: any}}
        B: {Type: Api, Properties: {Path: /b, Method: PUT, RestApiId: !Ref Mine}}
        C: {Type: HttpApi, Properties: {Path: '/c/{rest+}', Method: post}}
        D: {Type: HttpApi}
        E: {Type: S3, Properties: {Bucket: !Ref Uploads, Events: 's3:ObjectCreated:*', Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}, {Name: suffix, Value: .png}]}}}}
        G: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 5}}
        H: {Type: Schedule, Properties: {Schedule: rate(5 minutes)}}
        I: {Type: Schedule, Properties: {Schedule: rate(5 minutes), Enabled: false}}
        J: {Type: Kinesis, Properties: {Stream: x}}
",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let cors = |origins: &[&str], methods: &[&str]| Cors {
        origins: origins.iter().map(|text| (*text).to_owned()).collect(),
        methods: methods.iter().map(|text| (*text).to_owned()).collect(),
        ..Cors::default()
    };
    let lean = Some(Cors { credentials: true, max_age: Some(60), ..cors(&["*"], &["GET"]) });
    let http = |api: &str, method: &str, path: &str, form, cors| TriggerDeclaration::Http {
        api: api.into(),
        method: method.into(),
        path: path.into(),
        form,
        cors,
    };
    let expected = [
        http("ServerlessRestApi", "ANY", "/a/{id}", HttpForm::Rest, Some(cors(&["https://a.example"], &[]))),
        http("Mine", "PUT", "/b", HttpForm::Rest, Some(cors(&["x"], &["GET", "PUT"]))),
        http("ServerlessHttpApi", "POST", "/c/{rest+}", HttpForm::Lean, lean.clone()),
        http("ServerlessHttpApi", "ANY", "/", HttpForm::Lean, lean.clone()),
        http("ServerlessHttpApi", "ANY", "/{proxy+}", HttpForm::Lean, lean),
        TriggerDeclaration::Bucket {
            bucket: "uploads".into(),
            events: vec!["s3:ObjectCreated:*".into()],
            prefix: Some("in/".into()),
            suffix: Some(".png".into()),
        },
        TriggerDeclaration::Queue { queue: "jobs".into(), batch: 5, options: QueueOptions::default() },
        TriggerDeclaration::Schedule { expression: "rate(5 minutes)".into() },
        TriggerDeclaration::Url { cors: None, streaming: true },
    ];
    assert_eq!(loaded.project.functions[0].triggers, expected);
    assert_eq!(
        loaded.project.warnings,
        ["template.yaml:24: event `J` of type `Kinesis` is not supported yet"]
    );
    assert_eq!(loaded.project.queues[0].visibility, Some(Duration::from_mins(1)));
    assert_eq!(loaded.project.buckets[0].name, "uploads");
}

#[test]
fn plain_cloudformation_works_in_json_too() {
    let template = r#"{
	"Resources": {
		"Role": {"Type": "AWS::IAM::Role"},
		"Score": {"Type": "AWS::Lambda::Function", "Properties": {
			"Runtime": "python3.12", "Handler": "index.handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
			"Code": {"ZipFile": "def handler(event, context):\n    return 1\n"}}},
		"Url": {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": {"Ref": "Score"}, "AuthType": "NONE"}},
		"Allow": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "Score"}}},
		"Queue": {"Type": "AWS::SQS::Queue"},
		"Map": {"Type": "AWS::Lambda::EventSourceMapping", "Properties":
			{"FunctionName": {"Fn::GetAtt": ["Score", "Arn"]}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}}},
		"In": {"Type": "AWS::S3::Bucket", "Properties": {"NotificationConfiguration": {"LambdaConfigurations": [
			{"Event": "s3:ObjectRemoved:*", "Function": {"Fn::GetAtt": ["Score", "Arn"]}}]}}}
	}
}"#;
    let folder = folder(&[("template.json", template)]);
    let loaded = read_in(folder.path(), &[]).unwrap_or_else(|error| panic!("{error}"));
    let function = &loaded.project.functions[0];
    assert_eq!(
        fs::read_to_string(function.source.join("index.py")).unwrap(),
        "def handler(event, context):\n    return 1\n"
    );
    assert!(function.source.starts_with(folder.path().join("cache")));
    assert_eq!(
        function.triggers,
        [
            TriggerDeclaration::Url { cors: None, streaming: false },
            TriggerDeclaration::Queue {
                queue: "local-Queue".into(),
                batch: 10,
                options: QueueOptions::default()
            },
            TriggerDeclaration::Bucket {
                bucket: "local-in".into(),
                events: vec!["s3:ObjectRemoved:*".into()],
                prefix: None,
                suffix: None,
            },
        ]
    );
    assert_eq!(loaded.project.warnings, Vec::<String>::new());
}

#[test]
fn what_cannot_run_is_left_out_aloud() {
    let loaded = read(
        "\
Transform: AWS::Serverless-2016-10-31
Conditions: {Never: !Equals [a, b]}
Resources:
  Gone: {Type: AWS::Serverless::Function, Condition: Never, Properties: {Handler: a.b, Runtime: python3.12}}
  Image: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}
  Far: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: python3.12, CodeUri: 's3://b/k.zip'}}
  Packed: {Type: AWS::Lambda::Function, Properties: {Handler: a.b, Runtime: python3.12, Code: {S3Bucket: b, S3Key: k}}}
  Here: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: python3.12, CodeUri: ../elsewhere, Layers: [x]}}
  Fn::ForEach::Many: [x, [a, b], {}]
  Nested: {Type: AWS::Serverless::Application, Properties: {Location: ./other.yaml}}
",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = loaded.project.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["Here"]);
    assert_eq!(
        loaded.project.warnings,
        [
            "template.yaml:5: function `Image` is left out: images are not supported",
            "template.yaml:6: function `Far` is left out: its code is at s3://b/k.zip, not on this machine",
            "template.yaml:7: function `Packed` is left out: its code is in S3, not on this machine",
            "template.yaml:8: the code folder ../elsewhere of `Here` does not exist",
            "template.yaml:8: the layers of `Here` are not applied; layers are not supported yet",
            "template.yaml:9: `Fn::ForEach::Many` is not supported: what it makes is left out",
            "template.yaml:10: `Nested` is left out: AWS::Serverless::Application is not supported yet",
        ]
    );
}

#[test]
fn what_makes_no_sense_is_refused_where_it_stands() {
    let function = |properties: &str| {
        refusal(&format!(
            "Transform: AWS::Serverless-2016-10-31\nParameters: {{P: {{Type: String}}}}\nResources:\n  F:\n    \
             Type: AWS::Serverless::Function\n    Properties: {{{properties}}}\n"
        ))
    };
    assert_eq!(function("Handler: a.b"), "4:3: function `F` has no Runtime");
    assert_eq!(function("Runtime: python3.12"), "4:3: function `F` has no Handler");
    assert_eq!(
        function("Handler: !Ref P, Runtime: python3.12"),
        "6:27: Handler cannot be resolved on this machine"
    );
    let fine = "Handler: a.b, Runtime: python3.12";
    assert_eq!(
        function(&format!("{fine}, MemorySize: lots")),
        "6:65: MemorySize must be a whole number, not `lots`"
    );
    assert_eq!(
        function(&format!("{fine}, MemorySize: 64")),
        "6:65: 64 MB of memory; Lambda takes whole MB from 128 to 10240"
    );
    assert_eq!(
        function(&format!("{fine}, Timeout: 901")),
        "6:62: a timeout of 901s; Lambda takes whole seconds from 1 to 900"
    );
    assert!(function(&format!("{fine}, FunctionName: ../../x")).contains("no name for a function"));
    assert!(
        function(&format!("{fine}, Events: {{A: {{Type: Api, Properties: {{Path: x, Method: get}}}}}}"))
            .ends_with("a path begins with `/`, `x` does not")
    );
    let bucket = "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Handler: a, Runtime: x, Code: .}}\n  \
                  B: {Type: AWS::S3::Bucket, Properties: {BucketName: Bad_Name}}\n";
    assert!(refusal(bucket).starts_with("3:55: `Bad_Name` is no name for a bucket"), "{}", refusal(bucket));
}

#[test]
fn templates_are_found_and_others_are_left_alone() {
    let other = FLOWER.replace("WhichFlower", "Other").replace("which_flower", "other");
    let folder = folder(&[
        ("template.yaml", FLOWER),
        ("template.json", "{\"AWS::\": ]"),
        (".aws-sam/build/template.yaml", FLOWER),
        ("node_modules/x/template.yaml", FLOWER),
        ("cdk.out/asset.1/template.yaml", &other),
        ("ignored/template.yaml", &other),
        (".gitignore", "ignored/\n"),
        ("helm/template.yaml", "{{ range }}: not yaml ["),
        ("a/b/c/template.yml", &other),
        ("a/b/c/d/e/template.yaml", "AWS:: [["),
    ]);
    let loaded = read_in(folder.path(), &[]).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = loaded.project.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["WhichFlower", "Other"]);
}

#[test]
fn a_handler_that_is_not_beside_its_template_is_named() {
    let warnings = |files: &[(&str, &str)]| {
        let folder = folder(&[&[("template.yaml", FLOWER)], files].concat());
        read_in(folder.path(), &[]).unwrap_or_else(|error| panic!("{error}")).project.warnings
    };
    let about = |warnings: Vec<String>| warnings.iter().filter(|text| text.contains("no CodeUri")).count();
    let missing = warnings(&[]);
    let text = missing.iter().find(|text| text.contains("no CodeUri")).expect("a warning");
    assert!(
        text.contains("`WhichFlower`") && text.contains("index.py") && text.contains("template.yaml"),
        "{text}"
    );
    assert_eq!(about(warnings(&[("index.py", "")])), 0);
    assert_eq!(about(warnings(&[("index/__init__.py", "")])), 0);
}

#[test]
fn the_same_name_twice_is_a_clash_that_names_both() {
    let folder = folder(&[("one/template.yaml", FLOWER), ("two/template.yaml", FLOWER)]);
    let error = read_in(folder.path(), &[]).expect_err("a clash");
    assert_eq!(
        error.what,
        "two functions are called `WhichFlower`: one/template.yaml:4 and two/template.yaml:4"
    );
    // One function in two files that agree about it is one.
    fs::write(
        folder.path().join("two/template.yaml"),
        FLOWER.replace("Runtime:", "CodeUri: ../one\n      Runtime:"),
    )
    .unwrap();
    assert_eq!(read_in(folder.path(), &[]).unwrap().project.functions.len(), 1);
}
