//! Buckets, their listings, and what is not there.

use super::*;

#[tokio::test]
async fn a_bucket_lives_and_goes() {
    let world = world();
    let made = world.send("PUT /new-one").await;
    assert_eq!((made.status.as_u16(), made.header("location")), (200, "/new-one"));
    assert_eq!(made.header("server"), "AmazonS3");
    assert_eq!(made.header("x-amz-request-id").len(), 16);
    assert_eq!(world.send("PUT /new-one").await.status, 200);
    let listed = world.send("GET /").await;
    assert_eq!(listed.elements("Name"), ["new-one", "pics"]);
    let head = world.send("HEAD /new-one").await;
    assert_eq!((head.status.as_u16(), head.header("x-amz-bucket-region")), (200, "us-east-1"));
    assert_eq!(world.send("DELETE /new-one").await.status, 204);
    assert_eq!(world.send("HEAD /new-one").await.status, 404);
    assert_eq!(world.send("DELETE /new-one").await.code(), (404, "NoSuchBucket"));
}

#[tokio::test]
async fn names_and_contents_stand_in_the_way() {
    let world = world();
    assert_eq!(world.send("PUT /New_One").await.code(), (400, "InvalidBucketName"));
    world.send("PUT /pics/k\n\nx").await;
    assert_eq!(world.send("DELETE /pics").await.code(), (409, "BucketNotEmpty"));
}

#[tokio::test]
async fn another_region_is_remembered() {
    let world = world();
    let place = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    assert_eq!(world.send(&format!("PUT /far\n\n{place}")).await.status, 200);
    assert_eq!(world.send(&format!("PUT /far\n\n{place}")).await.code(), (409, "BucketAlreadyOwnedByYou"));
    assert_eq!(world.send("HEAD /far").await.header("x-amz-bucket-region"), "eu-west-1");
    assert!(world.send("GET /far?location").await.body.ends_with(">eu-west-1</LocationConstraint>"));
    assert!(world.send("GET /pics?location").await.body.contains("<LocationConstraint xmlns="));
    for other in
        ["<CreateBucket", "<Delete/>", "<Delete><LocationConstraint>eu-west-1</LocationConstraint></Delete>"]
    {
        assert_eq!(
            world.send(&format!("PUT /bad\n\n{other}")).await.code(),
            (400, "MalformedXML"),
            "{other}"
        );
    }
    assert_eq!(world.send("PUT /far?notification\n\n<Delete/>").await.code(), (400, "MalformedXML"));
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let world = world();
    let other = "authorization: AWS4-HMAC-SHA256 Credential=111122223333/20300101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00";
    assert_eq!(world.send(&format!("GET /\n{other}")).await.elements("Name"), Vec::<&str>::new());
    assert_eq!(world.send(&format!("GET /pics\n{other}")).await.code(), (404, "NoSuchBucket"));
    assert_eq!(world.send(&format!("PUT /pics\n{other}")).await.status, 200);
}

#[tokio::test]
async fn what_is_not_configured_and_what_is_not_here_say_so() {
    let world = world();
    assert_eq!(world.send("GET /pics?policy").await.code(), (404, "NoSuchBucketPolicy"));
    assert_eq!(world.send("GET /pics?tagging").await.code(), (404, "NoSuchTagSet"));
    assert!(world.send("GET /pics?versioning").await.body.contains("<VersioningConfiguration xmlns="));
    assert!(world.send("GET /pics?acl").await.body.contains("FULL_CONTROL"));
    assert_eq!(world.send("GET /none?versioning").await.code(), (404, "NoSuchBucket"));
    let refused = world.send("PUT /pics?replication\n\n<x/>").await;
    assert_eq!(refused.code(), (501, "NotImplemented"));
    assert!(refused.element("Message").contains("PutBucketReplication"));
    let records = world.records();
    let What::Unsupported { service, operation } = &records[0].what else { panic!("{records:?}") };
    assert_eq!((service.as_str(), operation.as_str()), ("s3", "PutBucketReplication"));
    assert_eq!(world.send("PATCH /pics").await.code(), (405, "MethodNotAllowed"));
}

#[tokio::test]
async fn listings_in_pages_with_prefixes() {
    let world = world();
    for key in ["a", "b/1", "b/2", "c d", "e"] {
        world.send(&format!("PUT /pics/{}\n\nx", key.replace(' ', "%20"))).await;
    }
    let first = world.send("GET /pics?list-type=2&delimiter=/&max-keys=2&encoding-type=url").await;
    assert_eq!(first.elements("Key"), ["a"]);
    assert_eq!(first.element("CommonPrefixes"), "<Prefix>b/</Prefix>");
    assert_eq!((first.element("KeyCount"), first.element("IsTruncated")), ("2", "true"));
    let token = first.element("NextContinuationToken");
    let second = world
        .send(&format!("GET /pics?list-type=2&delimiter=/&continuation-token={token}&encoding-type=url"))
        .await;
    assert_eq!(second.elements("Key"), ["c%20d", "e"]);
    assert_eq!((second.elements("Prefix").len(), second.element("IsTruncated")), (0, "false"));
    let v1 = world.send("GET /pics?marker=b/&delimiter=/&max-keys=1").await;
    assert_eq!((v1.elements("Key"), v1.element("NextMarker")), (vec!["c d"], "c d"));
    let after = world.send("GET /pics?list-type=2&start-after=b/1&prefix=b/").await;
    assert_eq!((after.elements("Key"), after.element("StartAfter")), (vec!["b/2"], "b/1"));
    let versions = world.send("GET /pics?versions&prefix=a").await;
    assert_eq!((versions.element("VersionId"), versions.element("IsLatest")), ("null", "true"));
    assert_eq!(world.send("GET /pics?max-keys=x").await.code(), (400, "InvalidArgument"));
    assert_eq!(
        world.send("GET /pics?list-type=2&continuation-token=!").await.code(),
        (400, "InvalidArgument")
    );
    assert_eq!(world.send("GET /pics?encoding-type=rot13").await.code(), (400, "InvalidArgument"));
    let none = world.send("GET /pics?list-type=2&max-keys=0").await;
    assert_eq!((none.element("KeyCount"), none.element("IsTruncated")), ("0", "false"));
}
