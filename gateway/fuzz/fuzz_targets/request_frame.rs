//! Any bytes as the front of a client connection: framing, headers, the allow table, Produce, SASL.
#![no_main]

use gateway::protocol::kafka::allow::{self, Action};
use gateway::protocol::kafka::api::Handling;
use gateway::protocol::kafka::frame::{
    FRAME_BYTES_MAX, Framed, REQUEST_BYTES_MIN, RESPONSE_BYTES_MIN, framed,
};
use gateway::protocol::kafka::header::RequestHeader;
use gateway::protocol::kafka::produce::ProduceRequest;
use gateway::protocol::kafka::produce_response::{PartitionError, ProduceAnswer, refusal_code};
use gateway::protocol::kafka::produce_writer::ProduceWriter;
use gateway::protocol::kafka::sasl::{self, Framing, Handshake, Login, Mechanism};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(Framed::Frame { bytes }) = framed(data, REQUEST_BYTES_MIN, FRAME_BYTES_MAX) else { return };
    let data = &data[..bytes];
    let Ok(header) = RequestHeader::parse(data) else { return };
    match allow::action(&header.prefix) {
        Action::Handle(Handling::Inspect) => {
            assert!(allow::relay(data).is_err(), "records pass only after inspection");
            produce_request(data);
        }
        Action::Handle(Handling::SaslHandshake) => drop(sasl::parse_handshake(data)),
        Action::Handle(Handling::SaslAuthenticate) => {
            for mechanism in [Mechanism::Plain, Mechanism::Scram, Mechanism::OauthBearer] {
                if let Ok(auth_bytes) = sasl::parse_authenticate(data) {
                    let mut login = Login::new(Handshake { framing: Framing::RawTokens, mechanism });
                    assert!(login.takes(auth_bytes), "the first message may be anything");
                    login.client_message(auth_bytes, "sub");
                }
            }
        }
        Action::Handle(_) => assert!(allow::relay(data).is_ok()),
        Action::AnswerApiVersions | Action::Refuse(_) => assert!(allow::relay(data).is_err()),
    }
});

/// What is kept as it is comes out as it went in; the answer to a refusal can always be written.
fn produce_request(frame: &[u8]) {
    let mut request = ProduceRequest::default();
    if request.parse(frame).is_err() {
        return;
    }
    let mut kept = Vec::new();
    let writer = ProduceWriter::begin(frame, &request, request.partitions.len(), &mut kept);
    let any = writer.finish(frame, &request, &mut kept);
    assert_eq!(any, !request.partitions.is_empty());
    if any && request.topics.iter().all(|topic| topic.partitions_start < topic.partitions_end) {
        assert_eq!(kept, frame);
    }
    let mut answer = ProduceAnswer::new(frame, &request);
    for position in 0..request.partitions.len() {
        answer.refuse(position, PartitionError::new(refusal_code(request.api_version)));
    }
    let mut response = Vec::new();
    answer.write_local(&mut response);
    assert!(matches!(frame_of(&response), Framed::Frame { bytes } if bytes == response.len()));
}

fn frame_of(response: &[u8]) -> Framed {
    framed(response, RESPONSE_BYTES_MIN, usize::MAX).expect("our own response has a good size")
}
