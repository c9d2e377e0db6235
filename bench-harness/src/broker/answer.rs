//! From a request frame to its answer: header, version, dispatch.

use super::{Fault, Shared, fetch, produce, shape, topology};
use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This frame, length prefix included, is the answer.
    Answer(Bytes),
    /// There is no answer: `acks=0`, or a broker that has fallen silent.
    Nothing,
    /// The connection is closed.
    Close,
}

/// APIs with the versions that are advertised, ends included. Produce has minimum 0 though it is served from
/// 3 on, as real brokers have it: older librdkafka turns compression off otherwise (KAFKA-18659).
const VERSIONS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 0, 13),
    (ApiKey::Fetch, 4, 17),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::FindCoordinator, 0, 6),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::InitProducerId, 0, 5),
];

/// Oldest version of Produce that is served (KIP-896).
const PRODUCE_SERVED_FROM: i16 = 3;

/// Answers one request.
///
/// # Errors
///
/// When the request is one that a broker closes the connection for.
pub(super) async fn answer(shared: &Shared, node_id: i32, frame: Bytes) -> Result<Outcome> {
    ensure!(frame.len() >= 8, "a request of {} bytes", frame.len());
    let mut start = &frame[..8];
    let (key, version, correlation_id) = (start.get_i16(), start.get_i16(), start.get_i32());
    let api_key = ApiKey::try_from(key).ok().with_context(|| format!("unknown API key {key}"))?;
    let versions = versions(shared);
    let Some(&(_, min, max)) = versions.iter().find(|entry| entry.0 == api_key) else {
        bail!("{api_key:?} is not served");
    };
    if api_key == ApiKey::ApiVersions && !(min..=max).contains(&version) {
        return Ok(Outcome::Answer(encode(api_key, 0, correlation_id, &too_new(min, max))?));
    }
    let served_from = if api_key == ApiKey::Produce { PRODUCE_SERVED_FROM } else { min };
    ensure!((served_from..=max).contains(&version), "{api_key:?} v{version} is not served");

    let mut body = frame;
    RequestHeader::decode(&mut body, api_key.request_header_version(version)).context("request header")?;
    shape::check(api_key, version, &body).with_context(|| format!("{api_key:?} v{version}"))?;
    if silent(shared) {
        return Ok(Outcome::Nothing);
    }
    let request = Request { shared, node_id, api_key, version, correlation_id, body };
    request.answer(&versions).await
}

struct Request<'a> {
    shared: &'a Shared,
    node_id: i32,
    api_key: ApiKey,
    version: i16,
    correlation_id: i32,
    body: Bytes,
}

impl Request<'_> {
    async fn answer(mut self, versions: &[(ApiKey, i16, i16)]) -> Result<Outcome> {
        let (shared, node_id, version) = (self.shared, self.node_id, self.version);
        match self.api_key {
            ApiKey::ApiVersions => self.reply(&list(versions, 0)),
            ApiKey::Metadata => {
                let request = self.decode::<MetadataRequest>()?;
                self.reply(&topology::metadata(shared, &request, version))
            }
            ApiKey::FindCoordinator => {
                let request = self.decode::<FindCoordinatorRequest>()?;
                self.reply(&topology::find_coordinator(shared, &request, version))
            }
            ApiKey::InitProducerId => {
                let request = self.decode::<InitProducerIdRequest>()?;
                self.reply(&topology::init_producer_id(shared, &request))
            }
            ApiKey::ListOffsets => {
                let request = self.decode::<ListOffsetsRequest>()?;
                self.reply(&fetch::list_offsets(shared, &request))
            }
            ApiKey::Fetch => {
                let request = self.decode::<FetchRequest>()?;
                let response = fetch::fetch(shared, node_id, &request, version).await;
                self.reply(&response)
            }
            ApiKey::Produce => {
                let request = self.decode::<ProduceRequest>()?;
                match produce::produce(shared, node_id, request, version).await {
                    produce::Outcome::Answer(response) => self.reply(&response),
                    produce::Outcome::Nothing => Ok(Outcome::Nothing),
                    produce::Outcome::Close => Ok(Outcome::Close),
                }
            }
            other => bail!("{other:?} is advertised but has no handler"),
        }
    }

    /// The request's body, to its last byte.
    fn decode<T: Decodable>(&mut self) -> Result<T> {
        let (api_key, version) = (self.api_key, self.version);
        let request =
            T::decode(&mut self.body, version).with_context(|| format!("{api_key:?} v{version}"))?;
        ensure!(self.body.is_empty(), "{} bytes after {api_key:?} v{version}", self.body.len());
        Ok(request)
    }

    fn reply(&self, response: &impl Encodable) -> Result<Outcome> {
        Ok(Outcome::Answer(encode(self.api_key, self.version, self.correlation_id, response)?))
    }
}

/// The table, with the maxima that the options lower.
fn versions(shared: &Shared) -> Vec<(ApiKey, i16, i16)> {
    let lowered = |key: ApiKey| shared.options.version_max.iter().find(|(lower, _)| *lower == key as i16);
    VERSIONS
        .iter()
        .map(|&(key, min, max)| (key, min, lowered(key).map_or(max, |&(_, lower)| lower.min(max))))
        .collect()
}

fn list(versions: &[(ApiKey, i16, i16)], error_code: i16) -> ApiVersionsResponse {
    let entry = |&(key, min, max): &(ApiKey, i16, i16)| {
        ApiVersion::default().with_api_key(key as i16).with_min_version(min).with_max_version(max)
    };
    ApiVersionsResponse::default()
        .with_error_code(error_code)
        .with_api_keys(versions.iter().map(entry).collect())
}

/// The answer to an ApiVersions that is newer than ours: version 0, and only its own entry (KIP-511).
fn too_new(min: i16, max: i16) -> ApiVersionsResponse {
    list(&[(ApiKey::ApiVersions, min, max)], ResponseError::UnsupportedVersion.code())
}

/// True once the broker has been told to fall silent.
fn silent(shared: &Shared) -> bool {
    shared.state().faults.front() == Some(&Fault::Silence)
}

/// A whole response frame.
fn encode(api_key: ApiKey, version: i16, correlation_id: i32, response: &impl Encodable) -> Result<Bytes> {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header.encode(&mut frame, api_key.response_header_version(version))?;
    response.encode(&mut frame, version)?;
    let size = i32::try_from(frame.len() - 4).context("an answer above 2 GiB")?;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    Ok(frame.freeze())
}
