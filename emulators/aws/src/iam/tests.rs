//! Forms in, XML out.

use super::*;
use crate::lambda::fake::FakeFunctions;
use http_body_util::BodyExt;

struct Bench {
    functions: Arc<FakeFunctions>,
    iam: Iam,
}

impl Bench {
    fn new() -> Self {
        Self::kept_on(&Shelf::default())
    }

    fn kept_on(shelf: &Shelf) -> Self {
        let functions = FakeFunctions::new();
        Self { iam: Iam::new(Arc::default(), functions.clone(), shelf), functions }
    }

    async fn send(&self, form: &str) -> (u16, String) {
        let request = Request::builder().method("POST").uri("/").body(Body::from(form.to_owned())).unwrap();
        let response = self.iam.handle(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[track_caller]
    fn holds((status, document): &(u16, String), expected: u16, parts: &[&str]) {
        assert_eq!(*status, expected, "{document}");
        for part in parts {
            assert!(document.contains(part), "{part} is not in {document}");
        }
    }
}

#[tokio::test]
async fn who_am_i() {
    let bench = Bench::new();
    let got = bench.send("Action=GetCallerIdentity&Version=2011-06-15").await;
    Bench::holds(
        &got,
        200,
        &[
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">",
            "<GetCallerIdentityResult><Arn>arn:aws:iam::000000000000:root</Arn>",
            "<Account>000000000000</Account>",
        ],
    );
}

#[tokio::test]
async fn credentials_that_open_nothing() {
    let bench = Bench::new();
    let role = "arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fpath%2Fr";
    let got = bench.send(&format!("Action=AssumeRole&RoleArn={role}&RoleSessionName=me")).await;
    Bench::holds(
        &got,
        200,
        &[
            "<Arn>arn:aws:sts::000000000000:assumed-role/r/me</Arn>",
            "<Expiration>2026-01-01T01:00:00Z</Expiration>",
        ],
    );
    for wrong in [
        "RoleArn=x&RoleSessionName=me",
        "RoleSessionName=me",
        &format!("RoleArn={role}&RoleSessionName=a%20b"),
    ] {
        Bench::holds(
            &bench.send(&format!("Action=AssumeRole&{wrong}")).await,
            400,
            &["<Code>ValidationError</Code>"],
        );
    }
}

#[tokio::test]
async fn the_life_of_a_role() {
    let bench = Bench::new();
    let create =
        "Action=CreateRole&RoleName=r&AssumeRolePolicyDocument=%7B%22a%22%3A1%7D&Description=%3Cb%3E";
    let created = bench.send(create).await;
    Bench::holds(
        &created,
        200,
        &[
            "<Arn>arn:aws:iam::000000000000:role/r</Arn>",
            "<AssumeRolePolicyDocument>%7B%22a%22%3A1%7D</AssumeRolePolicyDocument>",
            "<Description>&lt;b&gt;</Description>",
        ],
    );
    Bench::holds(&bench.send(create).await, 409, &["<Code>EntityAlreadyExists</Code>"]);
    Bench::holds(&bench.send("Action=GetRole&RoleName=r").await, 200, &["<RoleName>r</RoleName>"]);
    let basic = "PolicyArn=arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    Bench::holds(&bench.send(&format!("Action=AttachRolePolicy&RoleName=r&{basic}")).await, 200, &[]);
    Bench::holds(
        &bench.send("Action=ListAttachedRolePolicies&RoleName=r").await,
        200,
        &["<PolicyName>AWSLambdaBasicExecutionRole</PolicyName>"],
    );
    Bench::holds(
        &bench.send("Action=PutRolePolicy&RoleName=r&PolicyName=p&PolicyDocument=%7B%7D").await,
        200,
        &[],
    );
    Bench::holds(&bench.send("Action=ListRolePolicies&RoleName=r").await, 200, &["<member>p</member>"]);
    Bench::holds(
        &bench.send("Action=GetRolePolicy&RoleName=r&PolicyName=p").await,
        200,
        &["<PolicyDocument>%7B%7D</PolicyDocument>"],
    );
    Bench::holds(&bench.send("Action=DeleteRole&RoleName=r").await, 409, &["<Code>DeleteConflict</Code>"]);
    Bench::holds(&bench.send(&format!("Action=DetachRolePolicy&RoleName=r&{basic}")).await, 200, &[]);
    Bench::holds(&bench.send("Action=DeleteRolePolicy&RoleName=r&PolicyName=p").await, 200, &[]);
    Bench::holds(&bench.send("Action=DeleteRole&RoleName=r").await, 200, &[]);
    Bench::holds(&bench.send("Action=GetRole&RoleName=r").await, 404, &["<Code>NoSuchEntity</Code>"]);
}

#[tokio::test]
async fn the_life_of_a_policy() {
    let bench = Bench::new();
    let arn = "PolicyArn=arn:aws:iam::000000000000:policy/p";
    bench.send("Action=CreatePolicy&PolicyName=p&PolicyDocument=%7B%7D").await;
    Bench::holds(&bench.send(&format!("Action=GetPolicy&{arn}")).await, 200, &["<PolicyName>p</PolicyName>"]);
    Bench::holds(
        &bench.send(&format!("Action=GetPolicyVersion&{arn}")).await,
        200,
        &["<Document>%7B%7D</Document>"],
    );
    bench.send("Action=CreateRole&RoleName=r&AssumeRolePolicyDocument=%7B%7D").await;
    Bench::holds(
        &bench.send(&format!("Action=AttachRolePolicy&RoleName=r&{arn}x")).await,
        404,
        &["NoSuchEntity"],
    );
    Bench::holds(&bench.send(&format!("Action=AttachRolePolicy&RoleName=r&{arn}")).await, 200, &[]);
    Bench::holds(&bench.send(&format!("Action=DeletePolicy&{arn}")).await, 200, &[]);
    Bench::holds(&bench.send(&format!("Action=GetPolicy&{arn}")).await, 404, &["NoSuchEntity"]);
}

#[tokio::test]
async fn what_is_not_there_says_its_name() {
    let bench = Bench::new();
    let got = bench.send("Action=CreateUser&UserName=%3Cu%3E").await;
    Bench::holds(&got, 501, &["mlemu does not have the action CreateUser yet"]);
    let records = bench.functions.records.lock().unwrap();
    assert!(matches!(records.last(), Some(What::Unsupported { operation, .. }) if operation == "CreateUser"));
}

#[tokio::test]
async fn hostile_forms() {
    let bench = Bench::new();
    assert_eq!(bench.send("").await.0, 501);
    assert_eq!(bench.send(&"x".repeat(2 << 20)).await.0, 413);
    let got = bench.send("Action=CreateRole&RoleName=%00%3C&AssumeRolePolicyDocument=x").await;
    Bench::holds(&got, 400, &["<Code>ValidationError</Code>"]);
    let got = bench.send("Action=%3C%2Fa%3E%00").await;
    Bench::holds(&got, 501, &["&lt;/a&gt;"]);
}

#[test]
fn whose_unsigned_request_it_is() {
    let claims = |uri: &str, kind: &str| {
        let request = Request::builder().uri(uri).header("content-type", kind).body(()).unwrap();
        Iam::claims(&request.into_parts().0)
    };
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    assert!(claims("/", form));
    assert!(claims("/?Action=GetCallerIdentity&Version=2011-06-15", "text/plain"));
    assert!(!claims("/", "multipart/form-data; boundary=b"));
    assert!(!claims("/bucket", form));
}

#[tokio::test]
async fn a_reset_goes_back_to_the_roles_of_then() {
    let bench = Bench::new();
    let create = "Action=CreateRole&Version=2010-05-08&RoleName=made&AssumeRolePolicyDocument=%7B%7D";
    let before = bench.iam.saved();
    assert_eq!(bench.send(create).await.0, 200);
    assert_eq!(bench.send(create).await.0, 409);
    bench.iam.restore(&before);
    assert_eq!(bench.send(create).await.0, 200, "it is gone");
}

#[tokio::test]
async fn roles_outlive_the_daemon_and_looking_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let open = || mlemu_engine::Store::open(folder.path(), mlemu_engine::Durability::Disk).unwrap();
    let store = open();
    let bench = Bench::kept_on(&store.world("one"));
    let create = "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument={}";
    Bench::holds(&bench.send(create).await, 200, &[]);
    let before = store.issued();
    let get = "Action=GetRole&Version=2010-05-08&RoleName=r";
    Bench::holds(&bench.send(get).await, 200, &["<RoleName>r</RoleName>"]);
    assert_eq!(store.issued(), before);
    let saved = bench.iam.saved();
    bench.send("Action=DeleteRole&Version=2010-05-08&RoleName=r").await;
    bench.iam.restore(&saved);
    store.close();
    let bench = Bench::kept_on(&open().world("one"));
    Bench::holds(&bench.send(get).await, 200, &["<RoleName>r</RoleName>"]);
}
