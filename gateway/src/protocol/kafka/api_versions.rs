//! ApiVersions: what a client may use is what both the broker and the gateway know (KIP-35, KIP-511).

use super::api::{self, ApiKey};
use super::error_code::ErrorCode;
use super::frame::PREFIX_BYTES;
use super::wire::{Reader, WireResult, patch_frame_size, put_array_count, replace_field};

/// Appends the answer to an ApiVersions request above the newest version that the gateway knows: the layout
/// of version 0 with `UNSUPPORTED_VERSION` and the one range of ApiVersions itself (KIP-511).
pub fn unsupported_version(correlation_id: i32, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    out.extend_from_slice(&correlation_id.to_be_bytes());
    out.extend_from_slice(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes());
    put_array_count(out, false, 1);
    let versions = api::find(ApiKey::API_VERSIONS).map_or(0..=0, |api| api.versions.clone());
    for field in [ApiKey::API_VERSIONS.0, *versions.start(), *versions.end()] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    patch_frame_size(out, start);
}

/// Appends a broker's ApiVersions response, cut down to the keys and versions of the table. Features (KIP-584)
/// stay: a client that sees `transaction.version` 2 needs Produce 12, which the table has.
///
/// `api_version` is the version of the request. A broker older than it answers `UNSUPPORTED_VERSION` in the
/// layout of version 0, which is recognised by that code. The header of the response is version 0 always.
///
/// # Errors
///
/// When `response`, a whole frame, is no ApiVersions response; `out` is then as it was.
pub fn intersect(api_version: i16, response: &[u8], out: &mut Vec<u8>) -> WireResult<()> {
    let start = out.len();
    write_intersection(api_version, response, out).inspect_err(|_| out.truncate(start))
}

fn write_intersection(api_version: i16, response: &[u8], out: &mut Vec<u8>) -> WireResult<()> {
    let start = out.len();
    let mut reader = Reader::starting_at(response, PREFIX_BYTES);
    let _correlation_id = reader.i32()?;
    let error_code = ErrorCode(reader.i16()?);
    let api_version = if error_code == ErrorCode::UNSUPPORTED_VERSION { 0 } else { api_version };
    let flexible = api::is_flexible(ApiKey::API_VERSIONS, api_version);
    out.extend_from_slice(response.get(..reader.at() as usize).unwrap_or_default());

    let count_at = out.len();
    let listed = reader.array_count(flexible, RANGE_BYTES)?;
    put_array_count(out, flexible, listed);
    let ranges_at = out.len();
    let mut kept = 0;
    for _ in 0..listed {
        let key = ApiKey(reader.i16()?);
        let (min, max) = (reader.i16()?, reader.i16()?);
        let tags_start = reader.at();
        reader.skip_tagged_fields(flexible)?;
        if let Some((min, max)) = common_range(key, min, max) {
            for field in [key.0, min, max] {
                out.extend_from_slice(&field.to_be_bytes());
            }
            let tags = tags_start as usize..reader.at() as usize;
            out.extend_from_slice(response.get(tags).unwrap_or_default());
            kept += 1;
        }
    }
    let rest = reader.at() as usize;
    if api_version >= 1 {
        let _throttle_time_ms = reader.i32()?;
    }
    reader.skip_tagged_fields(flexible)?;
    reader.finish()?;
    out.extend_from_slice(response.get(rest..).unwrap_or_default());
    replace_field(out, count_at..ranges_at, |out| put_array_count(out, flexible, kept));
    patch_frame_size(out, start);
    Ok(())
}

/// Versions of `key` that both sides know; `None` when there are none.
///
/// Produce keeps 0 as its minimum although older versions than 3 are refused: brokers do the same, because
/// librdkafka before its fix sends uncompressed data when the minimum is above 0 (KAFKA-18659).
fn common_range(key: ApiKey, min: i16, max: i16) -> Option<(i16, i16)> {
    let api = api::find(key)?;
    let common = (min.max(*api.versions.start()), max.min(*api.versions.end()));
    if common.0 > common.1 {
        return None;
    }
    Some(if key == ApiKey::PRODUCE { (0, common.1) } else { common })
}

/// Bytes of one range: key, minimum, maximum.
const RANGE_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::ApiVersionsResponse;
    use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey};
    use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

    use super::*;

    fn response(version: i16, error_code: i16, ranges: &[(i16, i16, i16)]) -> Vec<u8> {
        let range = |&(key, min, max): &(i16, i16, i16)| {
            ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max)
        };
        let mut response = ApiVersionsResponse::default()
            .with_error_code(error_code)
            .with_api_keys(ranges.iter().map(range).collect());
        if version >= 1 {
            response.throttle_time_ms = 3;
        }
        if version >= 3 {
            let feature = FinalizedFeatureKey::default()
                .with_name(StrBytes::from_static_str("transaction.version"))
                .with_max_version_level(2);
            response.finalized_features_epoch = 9;
            response.finalized_features = vec![feature];
            response.unknown_tagged_fields.insert(70, bytes::Bytes::from_static(b"?"));
        }
        let mut frame = vec![0, 0, 0, 0, 0, 0, 0, 5];
        response.encode(&mut frame, version).expect("encodes");
        let size = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&size.to_be_bytes());
        frame
    }

    #[test]
    fn ranges_are_intersected_and_the_rest_stays() {
        let from_broker = [
            (0, 0, 13),
            (1, 4, 18),
            (3, 0, 13),
            (4, 0, 7),
            (18, 0, 4),
            (22, 0, 5),
            (55, 0, 2),
            (10_000, 0, 1),
        ];
        let to_client = [(0, 0, 13), (1, 4, 15), (3, 0, 13), (18, 0, 4), (22, 0, 5), (55, 0, 1)];
        for version in 0..=4 {
            let frame = response(version, 0, &from_broker);
            let mut out = b"before".to_vec();

            intersect(version, &frame, &mut out).expect("a good response");

            assert_eq!(&out[6..], response(version, 0, &to_client), "version {version}");
            for end in 0..frame.len() {
                assert!(
                    intersect(version, &frame[..end], &mut out).is_err(),
                    "version {version} cut at {end}"
                );
            }
        }
    }

    #[test]
    fn newest_broker_versions_are_cut_and_disjoint_ranges_dropped() {
        assert_eq!(common_range(ApiKey::PRODUCE, 3, 14), Some((0, 13)));
        assert_eq!(common_range(ApiKey::PRODUCE, 0, 2), None);
        assert_eq!(common_range(ApiKey::METADATA, 14, 15), None);
    }

    #[test]
    fn unsupported_version_of_an_older_broker_is_read_in_layout_0() {
        let frame = response(0, 35, &[(18, 0, 3)]);
        let mut out = Vec::new();

        intersect(4, &frame, &mut out).expect("a good response");

        assert_eq!(out, frame);
    }

    #[test]
    fn own_answer_has_layout_0_and_one_range() {
        let mut out = Vec::new();
        unsupported_version(5, &mut out);

        assert_eq!(out, response(0, 35, &[(18, 0, 4)]));
        let mut body = bytes::Bytes::copy_from_slice(&out[8..]);
        assert!(ApiVersionsResponse::decode(&mut body, 0).is_ok());
    }
}
