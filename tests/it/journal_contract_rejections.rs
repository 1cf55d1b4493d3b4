//! Contract: what was refused is kept, bounded in number, bytes and age, and found.

use std::sync::Arc;

use hookport::journal::{NewRejected, RejectionFilter};
use hookport::reason::{Reason, Rejection};

use super::{Bounds, Desk, Places, event, noon, request, seconds};

pub(crate) async fn rejections_go_with_age(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    for n in 0..300 {
        desk.journal.reject(rejected(n, Reason::SignatureMismatch));
        if n % 40 == 0 {
            settle_down(&desk, &format!("s{n}-")).await;
        }
    }
    settle_down(&desk, "last").await;
    desk.journal.retain(noon() + seconds(250)).await.unwrap();
    let all = RejectionFilter { limit: 1_000, ..Default::default() };
    let kept: Vec<_> = desk.journal.rejections(all).await.unwrap().into_iter().map(|kept| kept.detail).collect();
    assert_eq!(kept, (250..300).rev().map(|n| format!("no {n}")).collect::<Vec<_>>());
    assert_eq!(desk.journal.stats().await.unwrap().rejections, 50);
}

fn rejected(n: usize, reason: Reason) -> NewRejected {
    let mut request = Arc::unwrap_or_clone(request([event(&n.to_string(), "x")]).request);
    request.received = noon() + seconds(n as i64);
    NewRejected { source: Some("esim".into()), rejection: Rejection::new(reason, format!("no {n}")), request }
}

/// Rejections have no answer of their own, but they do not overtake what is recorded later.
async fn settle_down(desk: &Desk, name: &str) {
    for n in 0..40 {
        desk.event(&format!("{name}{n}"), "nobody").await;
    }
}

pub(crate) async fn rejections_are_bounded_in_number(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds { rejections: 50, ..Bounds::default() });
    for round in 0..3 {
        for n in 0..40 {
            desk.journal.reject(rejected(round * 40 + n, Reason::SignatureMismatch));
        }
        settle_down(&desk, &format!("r{round}")).await;
        desk.restart().await;
    }
    let kept = desk.journal.rejections(RejectionFilter { limit: 1_000, ..Default::default() }).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|kept| kept.detail.clone()).collect();
    assert_eq!(kept, (70..120).rev().map(|n| format!("no {n}")).collect::<Vec<_>>(), "the oldest go first");
    assert_eq!(desk.journal.stats().await.unwrap().rejections, 50);
}

pub(crate) async fn rejections_are_bounded_in_bytes(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds { rejection_bytes: 20_000, ..Bounds::default() });
    for n in 0..20 {
        let mut large = rejected(n, Reason::TooLarge);
        large.request.body = vec![b'x'; 4_000].into();
        desk.journal.reject(large);
    }
    settle_down(&desk, "s").await;
    let kept = desk.journal.rejections(RejectionFilter::default()).await.unwrap();
    assert!((3..=5).contains(&kept.len()), "{}", kept.len());
    assert_eq!((kept[0].detail.as_str(), kept[0].bytes), ("no 19", 4_000));
}

pub(crate) async fn rejections_are_found_and_shown(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    desk.journal.reject(rejected(1, Reason::SignatureMismatch));
    desk.journal.reject(NewRejected { source: None, ..rejected(2, Reason::UnknownPath) });
    desk.journal.reject(rejected(3, Reason::Malformed));
    settle_down(&desk, "s").await;
    let found = async |filter: RejectionFilter| {
        let found = desk.journal.rejections(filter).await.unwrap();
        found.iter().map(|kept| kept.detail.replace("no ", "")).collect::<String>()
    };
    let all = RejectionFilter::default;
    assert_eq!(found(all()).await, "321");
    assert_eq!(found(RejectionFilter { source: Some("esim".into()), ..all() }).await, "31");
    assert_eq!(found(RejectionFilter { reason: Some(Reason::UnknownPath), ..all() }).await, "2");
    assert_eq!(found(RejectionFilter { since: Some(noon() + seconds(2)), ..all() }).await, "32");
    assert_eq!(found(RejectionFilter { until: Some(noon() + seconds(2)), limit: 5, ..all() }).await, "1");
    let newest = desk.journal.rejections(all()).await.unwrap().remove(0);
    let (kept, whole) = desk.journal.rejection(newest.id).await.unwrap().unwrap();
    let (whole, sent) = (whole.unwrap(), rejected(3, Reason::Malformed).request);
    assert_eq!((kept.line.as_str(), kept.peer), ("POST /eiotclub?a=1", sent.peer));
    assert_eq!((whole.headers, whole.body, whole.received), (sent.headers, sent.body, sent.received));
    assert!(desk.journal.rejection(newest.id + 1).await.unwrap().is_none());
}
