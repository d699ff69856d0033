//! The operations, and which of them a request is for.

mod append;
mod batch;
mod blocks;
mod containers;
mod copy;
mod delete;
mod describe;
pub(super) mod find;
mod leases;
mod list;
mod page;
mod put;
mod read;
pub(super) mod seed;
mod service;

use super::BlobStorage;
use super::call::Call;
use super::routes::Operation;
use crate::storage::answer::whole;
use crate::storage::fault::Fault;
use axum::body::Body;
use axum::response::Response;

/// Largest document of a request, in bytes: a list of 50 000 blocks.
const DOCUMENT: usize = 8 << 20;

impl BlobStorage {
    pub(super) async fn run(&self, call: &Call, operation: Operation, body: Body) -> Result<Response, Fault> {
        use Operation as Op;
        match operation {
            Op::ListContainers => Ok(self.list_containers(call)?),
            Op::GetBlobServiceProperties => Ok(self.service_properties(call)),
            Op::SetBlobServiceProperties => self.set_service_properties(call, &whole(body, DOCUMENT).await?),
            Op::GetBlobServiceStats => Ok(service::service_stats(call)),
            Op::GetUserDelegationKey => self.user_delegation_key(call, &whole(body, DOCUMENT).await?),
            Op::GetAccountInformation => Ok(service::account_information()),
            Op::BlobBatch => self.batch(call, &whole(body, DOCUMENT).await?).await,
            Op::FindBlobsByTags => self.find_blobs(call),
            Op::CreateContainer => self.create_container(call),
            Op::GetContainerProperties => self.get_container(call),
            Op::DeleteContainer => self.delete_container(call),
            Op::SetContainerMetadata => self.set_container_metadata(call),
            Op::GetContainerACL => self.container_acl(call),
            Op::SetContainerACL => self.set_container_acl(call, &whole(body, DOCUMENT).await?),
            Op::LeaseContainer => self.lease_container(call),
            Op::ListBlobs => self.list_blobs(call),
            Op::GetBlob => self.get_blob(call).await,
            Op::GetBlobProperties | Op::GetBlobMetadata => self.head_blob(call),
            Op::DeleteBlob => self.delete_blob(call),
            Op::SetBlobMetadata => self.set_metadata(call),
            Op::SetBlobProperties => self.set_properties(call),
            Op::LeaseBlob => self.lease_blob(call),
            Op::SnapshotBlob => self.snapshot_blob(call),
            Op::GetBlobTags => self.get_tags(call),
            Op::SetBlobTags => self.set_tags(call, &whole(body, DOCUMENT).await?),
            Op::SetBlobTier => self.set_tier(call),
            other => self.write(call, other, body).await,
        }
    }

    /// What makes blobs, or adds to their bytes.
    async fn write(&self, call: &Call, operation: Operation, body: Body) -> Result<Response, Fault> {
        use Operation as Op;
        match operation {
            Op::PutBlob => self.put_blob(call, body).await,
            Op::PutBlobFromURL => self.put_blob_from_url(call).await,
            Op::CopyBlobFromURL => self.copy_blob(call, false),
            Op::AbortCopyBlob => self.abort_copy(call),
            Op::PutBlock => self.put_block(call, body).await,
            Op::PutBlockFromURL => self.put_block_from_url(call).await,
            Op::PutBlockList => self.put_block_list(call, &whole(body, DOCUMENT).await?),
            Op::GetBlockList => self.get_block_list(call),
            Op::AppendBlock => self.append_block(call, body).await,
            Op::AppendBlockFromURL => self.append_block_from_url(call).await,
            Op::AppendBlobSeal => self.seal(call),
            Op::PutPage => self.put_page(call, body).await,
            Op::PutPageFromURL => self.put_page_from_url(call).await,
            Op::GetPageRanges => self.page_ranges(call),
            _ => self.copy_blob(call, true),
        }
    }
}
