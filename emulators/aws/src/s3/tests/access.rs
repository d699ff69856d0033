//! Who may do what, where signatures are verified.

use super::*;

fn strict() -> World {
    world_with(Settings { strict_auth: true, ..settings() })
}

#[tokio::test]
async fn nobody_may_do_anything_that_is_not_permitted() {
    let world = strict();
    for request in [
        "GET /",
        "PUT /more",
        "GET /pics",
        "PUT /pics/k\n\nx",
        "GET /pics/k",
        "DELETE /pics/k",
        "GET /pics?policy",
        "GET /pics?acl",
    ] {
        assert_eq!(world.send(request).await.code(), (403, "AccessDenied"), "{request}");
    }
    assert_eq!(world.send("GET /none").await.code(), (404, "NoSuchBucket"));
}

#[tokio::test]
async fn a_list_lets_everybody_in() {
    let lenient = world();
    let objects = lenient.s3.front.parts.objects.clone();
    lenient.send("PUT /pics/k\nx-amz-acl: public-read\n\nx").await;
    lenient.send("PUT /pics/mine\n\nx").await;
    let parts = Parts {
        settings: Settings { strict_auth: true, ..settings() },
        objects,
        ..lenient.s3.front.parts.clone()
    };
    let strict = World { s3: S3::new(parts), ..lenient };
    assert_eq!(strict.send("GET /pics/k").await.body, "x");
    assert_eq!(strict.send("GET /pics/mine").await.status, 403);
    assert_eq!(
        strict.send("GET /pics/none").await.status,
        403,
        "what is not there is not for everybody to know"
    );
    assert_eq!(strict.send("GET /pics").await.status, 403);
}

#[tokio::test]
async fn lists_are_kept_and_checked() {
    let world = world();
    assert_eq!(world.send("PUT /pics?acl\nx-amz-acl: public-read").await.status, 200);
    assert!(world.send("GET /pics?acl").await.body.contains("groups/global/AllUsers"));
    assert_eq!(world.send("PUT /pics?acl\nx-amz-acl: open").await.code(), (400, "InvalidArgument"));
    assert_eq!(world.send("PUT /pics?acl").await.code(), (400, "MissingSecurityHeader"));
    let block = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>";
    world.send(&format!("PUT /pics?publicAccessBlock\n\n{block}")).await;
    assert_eq!(world.send("PUT /pics/k\nx-amz-acl: public-read\n\nx").await.code(), (403, "AccessDenied"));
    assert_eq!(world.send("PUT /pics/k\nx-amz-acl: private\n\nx").await.status, 200);
    let made = world.send("PUT /strictly\nx-amz-object-ownership: BucketOwnerEnforced").await;
    assert_eq!(made.status, 200);
    let refused = world.send("PUT /strictly/k\nx-amz-acl: public-read\n\nx").await;
    assert_eq!(refused.code(), (400, "AccessControlListNotSupported"));
}
