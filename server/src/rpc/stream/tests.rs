//! Streams on a clock that a test moves.

use futures::future::ready;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use uuid::Uuid;

use super::*;
use crate::{
    auth::Caller,
    domain::AccountId,
    rpc::call::{Call, Peer},
};

const SECOND: Duration = Duration::from_secs(1);
const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

/// A server with one connection.
struct Setting {
    streams: Streams,
    stop: CancellationToken,
    link: Arc<Link>,
}

impl Setting {
    fn new() -> Self {
        let stop = CancellationToken::new();
        let ip = [192, 0, 2, 1].into();
        Self {
            streams: Streams::new(&Limits::strict()),
            link: Arc::new(Link::new(Peer { ip }, &stop)),
            stop,
        }
    }

    /// Opens a stream for a caller whose token has so long left.
    fn open(&self, content_type: &'static str, token: Duration) -> OpenStream {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let call = Call::new(self.link.clone(), &headers, SECOND);
        call.set_caller(Caller {
            account_id: AccountId::new(Uuid::from_u128(1)),
            session_id: Uuid::from_u128(2),
            expires_at: NOW + token,
        });
        let mut request = Request::new(());
        request.extensions_mut().insert(call);
        self.streams.open(&request, NOW).unwrap()
    }

    fn native(&self) -> OpenStream {
        self.open("application/grpc", Duration::from_secs(24 * 60 * 60))
    }
}

/// One piece of news, then silence.
fn one() -> impl Stream<Item = Result<u8, Error>> {
    stream::iter([Ok(1)]).chain(stream::pending())
}

/// What a stream says until its end, heartbeats left out, and how long it took.
async fn all(frames: Frames<Saying<u8>>) -> (Vec<Saying<u8>>, Duration) {
    let begun_at = Instant::now();
    let said: Vec<_> = frames.map(Result::unwrap).collect().await;
    let said = said.into_iter().filter(|it| *it != Saying::Heartbeat);
    (said.collect(), begun_at.elapsed())
}

fn reason(said: &[Saying<u8>]) -> GoodbyeReason {
    match said {
        [Saying::News(1), Saying::Goodbye(goodbye)] => goodbye.reason(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_lives() {
    let setting = Setting::new();
    let open = setting.native();
    assert_eq!(open.heartbeat(), 15 * SECOND);
    let mut frames = open.tell(one(), |said| said);
    assert_eq!(frames.next().await.unwrap().unwrap(), Saying::News(1));
    for _ in 0..3 {
        let begun_at = Instant::now();
        let said = frames.next().await.unwrap().unwrap();
        assert_eq!((said, begun_at.elapsed()), (Saying::Heartbeat, 15 * SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_before_its_token() {
    let setting = Setting::new();
    for (left, until) in [(900, 870), (60, 30), (10, 5), (0, 0)] {
        let open = setting.open("application/grpc", left * SECOND);
        let (said, took) = all(open.tell(one(), |said| said)).await;
        assert_eq!(reason(&said), GoodbyeReason::Reauthenticate);
        assert!(took.abs_diff(until * SECOND) < SECOND / 10, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_an_age_and_a_browsers_a_lower_one() {
    let setting = Setting::new();
    let day = Duration::from_secs(24 * 60 * 60);
    for (content_type, ages) in [
        ("application/grpc", 54 * 60..=60 * 60),
        ("application/grpc-web+proto", 2 * 60..=5 * 60),
    ] {
        let mut ends = Vec::new();
        for _ in 0..20 {
            let open = setting.open(content_type, day);
            let (said, took) = all(open.tell(one(), |said| said)).await;
            assert_eq!(reason(&said), GoodbyeReason::MaxAge);
            assert!(ages.contains(&took.as_secs()), "{took:?}");
            ends.push(took.as_millis());
        }
        ends.dedup();
        assert!(ends.len() > 10, "they end together");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_connection_and_its_server() {
    let setting = Setting::new();
    // News without a pause keep no stream from its end.
    let busy = || stream::repeat_with(|| Ok(1));
    let mut frames = setting.native().tell(busy(), |said| said);
    let other = setting.native().tell(one(), |said| said);
    for _ in 0..10 {
        assert_eq!(frames.next().await.unwrap().unwrap(), Saying::News(1));
    }
    setting.link.ending.cancel();
    assert!(
        matches!(frames.next().await.unwrap().unwrap(), Saying::Goodbye(it) if it.reason() == GoodbyeReason::MaxAge)
    );
    assert!(frames.next().await.is_none());

    setting.stop.cancel();
    let (said, took) = all(other).await;
    assert_eq!(
        (reason(&said), took),
        (GoodbyeReason::Shutdown, Duration::ZERO)
    );
    let Some(Saying::Goodbye(goodbye)) = said.last() else {
        panic!("{said:?}")
    };
    assert!((1..=5).contains(&goodbye.reconnect_after.unwrap().seconds));
}

#[tokio::test(start_paused = true)]
async fn an_error_and_a_panic_end_a_stream_with_our_statuses() {
    let setting = Setting::new();
    let refused = stream::once(ready(Err::<u8, _>(Error::Overloaded {
        retry_after: SECOND,
    })));
    let mut frames = setting.native().tell(refused, |said| said);
    let error = frames.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert!(frames.next().await.is_none());

    let news = stream::once(async { panic!("the secret of ann") });
    let mut frames = setting.native().tell(news, |said: Saying<u8>| said);
    let error = frames.next().await.unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::Internal, "internal error")
    );
    assert!(frames.next().await.is_none());

    let mut frames = setting
        .native()
        .tell(one(), |_| -> u8 { panic!("in the frame") });
    let error = frames.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_stream_keeps_its_seat_until_it_is_dropped() {
    let setting = Setting::new();
    let watches = || {
        setting
            .link
            .watches
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    let mut frames = setting.native().tell(one(), |said| said);
    frames.next().await.unwrap().unwrap();
    assert_eq!(watches(), 1);
    drop(frames);
    assert_eq!(watches(), 0);
}
