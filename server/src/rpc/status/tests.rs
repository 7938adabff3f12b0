use super::*;

const ALL: [Reason; 29] = [
    Reason::InvalidRequest,
    Reason::Unauthenticated,
    Reason::NotOwner,
    Reason::NotCreator,
    Reason::EmailTaken,
    Reason::HandleTaken,
    Reason::AlreadyCreator,
    Reason::AccountNotFound,
    Reason::CreatorNotFound,
    Reason::DropNotFound,
    Reason::OrderNotFound,
    Reason::ReceiptNotFound,
    Reason::SoldOut,
    Reason::DropNotOpen,
    Reason::DropEnded,
    Reason::DropCancelled,
    Reason::BuyerLimitReached,
    Reason::TooManyHolds,
    Reason::OrderState,
    Reason::PriceChanged,
    Reason::RequestIdReused,
    Reason::RequestIdVoid,
    Reason::RateLimited,
    Reason::Overloaded,
    Reason::TooLarge,
    Reason::Unavailable,
    Reason::DeadlineExceeded,
    Reason::Internal,
    Reason::Unimplemented,
];

fn info(status: &Status) -> tonic_types::ErrorInfo {
    status
        .get_details_error_info()
        .expect("every status has an ErrorInfo")
}

/// The comment of each `ErrorReason` in the contract begins with its code: code and comment must agree.
#[test]
fn each_reason_has_the_code_its_documentation_promises() {
    use prost::Message as _;
    let set = prost_types::FileDescriptorSet::decode(livedrop_proto::FILE_DESCRIPTOR_SET).unwrap();
    let file = set
        .file
        .iter()
        .find(|file| file.name() == "livedrop/v1/error.proto")
        .unwrap();
    let reasons = &file.enum_type[0].value;
    let comments = &file.source_code_info.as_ref().unwrap().location;
    for reason in ALL {
        let name = format!("ERROR_REASON_{}", reason.as_str());
        let Some(index) = reasons.iter().position(|value| value.name() == name) else {
            continue; // not in this version of the contract
        };
        let path = [5, 0, 2, i32::try_from(index).unwrap()];
        let comment = comments
            .iter()
            .find(|location| location.path == path)
            .unwrap()
            .leading_comments();
        let promised = comment.trim().split(':').next().unwrap().replace('_', "");
        let actual = format!("{:?}", code(reason)).to_uppercase();
        assert_eq!(actual, promised, "{name}");
    }
}

#[test]
fn a_refusal_carries_reason_domain_and_metadata() {
    for reason in ALL {
        let metadata = vec![("dropId", "x".to_owned())];
        let status = to_status(Error::Refused {
            reason,
            message: "no".to_owned(),
            metadata,
        });
        assert_eq!(status.code(), code(reason));
        let info = info(&status);
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            (reason.as_str(), "livedrop.dev")
        );
        assert_eq!(info.metadata["dropId"], "x");
    }
}

#[test]
fn violations_come_together_and_are_bounded() {
    let few = to_status(Error::Invalid(vec![
        Violation::new("a", "x"),
        Violation::new("b.c", "y"),
    ]));
    assert_eq!(few.code(), Code::InvalidArgument);
    assert_eq!(info(&few).reason, "INVALID_REQUEST");
    let fields = few.get_details_bad_request().unwrap().field_violations;
    assert_eq!(
        fields
            .iter()
            .map(|violation| violation.field.as_str())
            .collect::<Vec<_>>(),
        ["a", "b.c"]
    );

    let many = to_status(Error::Invalid(vec![Violation::new("a", "x"); 200]));
    let listed = many.get_details_bad_request().unwrap().field_violations;
    assert_eq!(listed.len(), 51);
    let last = listed.last().unwrap();
    assert_eq!(
        (last.field.as_str(), last.description.as_str()),
        ("", "150 more violations are not listed")
    );

    let long = to_status(Error::Invalid(vec![
        Violation::new(
            "a".repeat(9_000),
            "\u{e9}".repeat(9_000)
        );
        200
    ]));
    let headers = long.into_http::<()>();
    let bytes: usize = headers
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    assert!(bytes < 8 * 1024, "{bytes} bytes of headers");
}

#[test]
fn what_is_not_found_is_named() {
    let status = to_status(Error::not_found(Reason::DropNotFound, "drop", "d1"));
    assert_eq!(status.code(), Code::NotFound);
    let resource = status.get_details_resource_info().unwrap();
    assert_eq!(
        (
            resource.resource_type.as_str(),
            resource.resource_name.as_str()
        ),
        ("drop", "d1")
    );
    assert_eq!(info(&status).metadata["dropId"], "d1");
    let by_handle = to_status(Error::not_found(Reason::CreatorNotFound, "creator", "ann"));
    assert_eq!(info(&by_handle).metadata["handle"], "ann");
}

#[test]
fn what_may_be_retried_says_when() {
    let asked = Duration::from_millis(200);
    let retriable = [
        to_status(Error::Overloaded { retry_after: asked }),
        to_status(Error::Unavailable {
            retry_after: asked,
            cause: "disk".to_owned(),
        }),
        rate_limited(asked, "address", "3 a second"),
    ];
    for status in &retriable {
        assert!(
            status
                .get_details_retry_info()
                .unwrap()
                .retry_delay
                .unwrap()
                >= asked,
            "{status:?}"
        );
    }
    assert_eq!(
        retriable[2].get_details_quota_failure().unwrap().violations[0].subject,
        "address"
    );
    assert!(!format!("{:?}", retriable[1]).contains("disk"));
    let soonest = overloaded(Duration::ZERO)
        .get_details_retry_info()
        .unwrap()
        .retry_delay
        .unwrap();
    assert!(soonest >= RETRY_AFTER_MIN);
}

#[test]
fn a_bug_is_masked() {
    let status = to_status(Error::Internal("password of ann".to_owned()));
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "internal error")
    );
    assert_eq!(info(&status).metadata["errorId"].len(), 16);
    assert!(!format!("{status:?}").contains("ann"));
}

#[test]
fn what_tonic_says_becomes_what_we_say() {
    let cases = [
        (
            Code::OutOfRange,
            "Error, decoded message length too large: found 9",
            "TOO_LARGE",
            Code::ResourceExhausted,
        ),
        (
            Code::OutOfRange,
            "Error, encoded message length too large",
            "INTERNAL",
            Code::Internal,
        ),
        (
            Code::ResourceExhausted,
            "Error decompressing: size limit",
            "TOO_LARGE",
            Code::ResourceExhausted,
        ),
        (
            Code::Cancelled,
            "Timeout expired",
            "DEADLINE_EXCEEDED",
            Code::DeadlineExceeded,
        ),
        (
            Code::Internal,
            "failed to decode Protobuf message: x",
            "INVALID_REQUEST",
            Code::InvalidArgument,
        ),
        (
            Code::Internal,
            "Error decompressing: corrupt",
            "INVALID_REQUEST",
            Code::InvalidArgument,
        ),
        (
            Code::Internal,
            "Missing request message.",
            "INVALID_REQUEST",
            Code::InvalidArgument,
        ),
        (Code::Unknown, "whatever", "INTERNAL", Code::Internal),
        (
            Code::Unimplemented,
            "",
            "UNIMPLEMENTED",
            Code::Unimplemented,
        ),
    ];
    for (theirs, message, reason, expected) in cases {
        let status = ours_for(theirs, message).expect(message);
        assert_eq!(
            (info(&status).reason.as_str(), status.code()),
            (reason, expected),
            "{message}"
        );
    }
    assert!(ours_for(Code::NotFound, "service not registered").is_none());
}
