//! Configurations of buckets: what is kept, what is refused, and what the rules for web pages do.

use super::*;

#[tokio::test]
async fn documents_come_back_as_they_were_put() {
    let world = world();
    let table = [
        (
            "cors",
            "CORSConfiguration",
            "<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>",
        ),
        ("website", "WebsiteConfiguration", "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"),
        ("tagging", "Tagging", "<TagSet><Tag><Key>team &amp; co</Key><Value>ml</Value></Tag></TagSet>"),
        (
            "ownershipControls",
            "OwnershipControls",
            "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>",
        ),
        ("publicAccessBlock", "PublicAccessBlockConfiguration", "<BlockPublicAcls>true</BlockPublicAcls>"),
        (
            "lifecycle",
            "LifecycleConfiguration",
            "<Rule><ID>old</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>",
        ),
        (
            "encryption",
            "ServerSideEncryptionConfiguration",
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>",
        ),
    ];
    for (query, root, inside) in table {
        let put = world.send(&format!("PUT /pics?{query}\n\n<{root}>{inside}</{root}>")).await;
        assert!(put.status.is_success(), "{query}: {}", put.body);
        let got = world.send(&format!("GET /pics?{query}")).await;
        assert!(
            got.body.contains(&format!(
                "<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inside}</{root}>"
            )),
            "{}",
            got.body
        );
        for wrong in ["<x/>".to_owned(), format!("<{root}><Burn/></{root}>"), format!("<{root}>")] {
            assert_eq!(
                world.send(&format!("PUT /pics?{query}\n\n{wrong}")).await.status,
                400,
                "{query} {wrong}"
            );
        }
        assert_eq!(world.send(&format!("DELETE /pics?{query}")).await.status, 204);
        assert!(!world.send(&format!("GET /pics?{query}")).await.body.contains(inside), "{query}");
        assert_eq!(
            world.send(&format!("PUT /none?{query}\n\n<{root}>{inside}</{root}>")).await.code(),
            (404, "NoSuchBucket")
        );
    }
}

#[tokio::test]
async fn lifecycles_and_policies_are_looked_into() {
    let world = world();
    let rule = |inside: &str| {
        format!(
            "PUT /pics?lifecycle\n\n<LifecycleConfiguration><Rule>{inside}</Rule></LifecycleConfiguration>"
        )
    };
    let good = "<Prefix/><Status>Enabled</Status><Expiration><Days>3</Days></Expiration>";
    assert_eq!(world.send(&rule(good)).await.status, 200);
    assert!(!world.send("GET /pics?lifecycle").await.element("ID").is_empty(), "a rule gets an id");
    let zero = world.send(&rule(&good.replace('3', "0"))).await;
    assert_eq!(zero.code(), (400, "InvalidArgument"));
    assert_eq!(world.send(&rule("<Prefix/><Status>Enabled</Status>")).await.code(), (400, "InvalidRequest"));
    let noon = good.replace("<Days>3</Days>", "<Date>2030-01-01T12:00:00Z</Date>");
    assert_eq!(world.send(&rule(&noon)).await.code(), (400, "InvalidArgument"));
    let policy = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::pics/*"}}"#;
    assert_eq!(world.send(&format!("PUT /pics?policy\n\n{policy}")).await.status, 204);
    assert_eq!(world.send("GET /pics?policy").await.body, policy);
    assert_eq!(world.send("GET /pics?policyStatus").await.element("IsPublic"), "true");
    assert_eq!(world.send("PUT /pics?policy\n\n{}").await.code(), (400, "MalformedPolicy"));
}

const RULES: &str = "<CORSConfiguration><CORSRule><AllowedOrigin>http://*.example.com</AllowedOrigin>\
    <AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>\
    <MaxAgeSeconds>60</MaxAgeSeconds></CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin>\
    <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";

#[tokio::test]
async fn pages_may_do_what_the_rules_say() {
    let world = world();
    let asks = |origin: &str, method: &str, headers: &str| {
        format!(
            "OPTIONS /pics/k\norigin: {origin}\naccess-control-request-method: {method}\naccess-control-request-headers: {headers}"
        )
    };
    let app = "http://app.example.com";
    assert_eq!(world.send(&asks(app, "PUT", "")).await.code(), (403, "AccessForbidden"));
    world.send(&format!("PUT /pics?cors\n\n{RULES}")).await;
    let allowed = world.send(&asks(app, "PUT", "X-Amz-Date, x-amz-acl")).await;
    assert_eq!((allowed.status.as_u16(), allowed.header("access-control-allow-origin")), (200, app));
    assert_eq!(allowed.header("access-control-allow-headers"), "x-amz-date, x-amz-acl");
    assert_eq!(allowed.header("access-control-max-age"), "60");
    for (origin, method, headers) in
        [(app, "DELETE", ""), (app, "PUT", "authorization"), ("http://other", "PUT", "")]
    {
        assert_eq!(world.send(&asks(origin, method, headers)).await.status, 403, "{origin} {method}");
    }
    assert_eq!(world.send("OPTIONS /pics/k").await.code(), (400, "BadRequest"));
    let put = world.send(&format!("PUT /pics/k\norigin: {app}\n\nx")).await;
    assert_eq!(put.header("access-control-expose-headers"), "ETag");
    let got = world.send("GET /pics/none\norigin: http://other").await;
    assert_eq!((got.status.as_u16(), got.header("access-control-allow-origin")), (404, "*"));
    assert_eq!(world.send("GET /pics/k").await.header("access-control-allow-origin"), "");
    let head = |origin: &str| {
        Request::builder().uri("/pics/k").header("origin", origin).body(()).unwrap().into_parts().0
    };
    assert!(world.s3.admits_origin(&head("http://any")), "the second rule lets everybody in");
    world.send("DELETE /pics?cors").await;
    assert!(!world.s3.admits_origin(&head(app)));
}
