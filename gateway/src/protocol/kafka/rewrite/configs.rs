//! DescribeConfigs: configurations of brokers hold the addresses that clients must not see.

use super::super::splice::Splicer;
use super::super::wire::{Span, WireResult, put_nullable_string};

/// DescribeConfigsResponse 1 to 4. Values that hold addresses become null, also among the synonyms.
pub(super) fn describe_configs(
    splicer: &mut Splicer<'_, '_>,
    version: i16,
    flexible: bool,
) -> WireResult<()> {
    let _throttle_time_ms = splicer.reader.i32()?;
    for _ in 0..splicer.reader.array_count(flexible, RESULT_BYTES_MIN)? {
        let _error_code = splicer.reader.i16()?;
        let _error_message = splicer.reader.nullable_string(flexible)?;
        let is_broker = splicer.reader.i8()? == RESOURCE_TYPE_BROKER;
        let _resource_name = splicer.reader.string(flexible)?;
        for _ in 0..splicer.reader.array_count(flexible, CONFIG_BYTES_MIN)? {
            config(splicer, version, flexible, is_broker)?;
        }
        splicer.reader.skip_tagged_fields(flexible)?;
    }
    splicer.reader.skip_tagged_fields(flexible)
}

fn config(splicer: &mut Splicer<'_, '_>, version: i16, flexible: bool, is_broker: bool) -> WireResult<()> {
    name_and_value(splicer, flexible, is_broker)?;
    let _read_only = splicer.reader.i8()?;
    let _config_source = splicer.reader.i8()?;
    let _is_sensitive = splicer.reader.i8()?;
    for _ in 0..splicer.reader.array_count(flexible, SYNONYM_BYTES_MIN)? {
        name_and_value(splicer, flexible, is_broker)?;
        let _source = splicer.reader.i8()?;
        splicer.reader.skip_tagged_fields(flexible)?;
    }
    if version >= 3 {
        let _config_type = splicer.reader.i8()?;
        let _documentation = splicer.reader.nullable_string(flexible)?;
    }
    splicer.reader.skip_tagged_fields(flexible)
}

fn name_and_value(splicer: &mut Splicer<'_, '_>, flexible: bool, is_broker: bool) -> WireResult<()> {
    let name: Span = splicer.reader.string(flexible)?;
    let value_start = splicer.reader.at();
    let _value = splicer.reader.nullable_string(flexible)?;
    if is_broker && holds_addresses(splicer.bytes(name)) {
        splicer.replace(value_start, |out| put_nullable_string(out, flexible, None));
    }
    Ok(())
}

/// True for the broker configurations whose values are hosts and ports.
fn holds_addresses(name: &[u8]) -> bool {
    ADDRESS_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Ends of such names: `listeners`, `advertised.listeners`, `controller.quorum.voters`,
/// `controller.quorum.bootstrap.servers`, and those of older brokers.
const ADDRESS_SUFFIXES: [&[u8]; 6] =
    [b"listeners", b".voters", b"bootstrap.servers", b"host.name", b"advertised.port", b"zookeeper.connect"];

/// `resource_type` of brokers.
const RESOURCE_TYPE_BROKER: i8 = 4;

/// Fewest bytes of a result: error code, message, type, name, configurations.
const RESULT_BYTES_MIN: usize = 6;

/// Fewest bytes of a configuration: name, value, three flags, synonyms.
const CONFIG_BYTES_MIN: usize = 6;

/// Fewest bytes of a synonym: name, value, source.
const SYNONYM_BYTES_MIN: usize = 3;
