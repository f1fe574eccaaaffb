//! Where signed records are ordered: at most one is wanted at a time, and only for as long
//! as somebody keeps asking for it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::signing::{Action, Order, Refused};

/// An order that nobody has repeated for so long is void.
const PATIENCE: Duration = Duration::from_secs(30);

/// An order with the asker's name for the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The asker's name for the transaction.
    pub reference: String,
    /// The order.
    pub order: Order,
}

/// What became of a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// That of the request.
    pub reference: String,
    /// That of the request.
    pub action: Action,
    /// The record's text.
    pub result: Result<String, Refused>,
}

/// The one request that is wanted.
#[derive(Debug)]
pub struct Desk {
    requests: mpsc::Receiver<Request>,
    wanted: Option<Request>,
}

impl Desk {
    /// Nothing is wanted yet.
    pub const fn new(requests: mpsc::Receiver<Request>) -> Self {
        Self {
            requests,
            wanted: None,
        }
    }

    /// Until `until`, or until something is wanted.
    pub async fn wait(&mut self, until: Instant) {
        match timeout_at(until, self.requests.recv()).await {
            Ok(Some(request)) => self.wanted = Some(request),
            // Nobody can ask any more.
            Ok(None) => tokio::time::sleep_until(until).await,
            Err(_elapsed) => {}
        }
    }

    /// What is wanted now.
    pub fn wanted(&mut self, now: std::time::Instant) -> Option<&Request> {
        while let Ok(request) = self.requests.try_recv() {
            self.wanted = Some(request);
        }
        let is_void = |request: &mut Request| {
            now.saturating_duration_since(request.order.received) > PATIENCE
        };
        if let Some(void) = self.wanted.take_if(is_void) {
            tracing::warn!(reference = void.reference, "nobody waits for this record");
        }
        self.wanted.as_ref()
    }

    /// Whether `request` is still the one.
    pub fn wants(&mut self, now: std::time::Instant, request: &Request) -> bool {
        self.wanted(now)
            .is_some_and(|wanted| wanted.is_same(request))
    }

    /// `request` has its answer.
    pub fn answered(&mut self, request: &Request) {
        self.wanted.take_if(|wanted| wanted.is_same(request));
    }
}

impl Request {
    fn is_same(&self, other: &Self) -> bool {
        self.reference == other.reference && self.order.action == other.order.action
    }

    /// The answer to it.
    pub fn answer(&self, result: Result<String, Refused>) -> Answer {
        Answer {
            reference: self.reference.clone(),
            action: self.order.action,
            result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(reference: &str, received: std::time::Instant) -> Request {
        Request {
            reference: reference.into(),
            order: Order {
                action: Action::End,
                id_tag: "driver".into(),
                started: 0,
                time: 0,
                received,
            },
        }
    }

    #[test]
    fn an_order_lives_as_long_as_it_is_repeated() {
        let start = std::time::Instant::now();
        let (asker, requests) = mpsc::channel(2);
        let mut desk = Desk::new(requests);
        let first = request("1", start);
        asker.try_send(first.clone()).unwrap();
        assert!(desk.wants(start + PATIENCE, &first));
        let repeated = request("1", start + PATIENCE);
        asker.try_send(repeated).unwrap();
        assert!(desk.wants(start + 2 * PATIENCE, &first));
        assert!(!desk.wants(start + 2 * PATIENCE + Duration::from_millis(1), &first));
    }

    #[test]
    fn a_newer_order_takes_the_place_of_an_older_one() {
        let start = std::time::Instant::now();
        let (asker, requests) = mpsc::channel(2);
        let mut desk = Desk::new(requests);
        let [first, second] = ["1", "2"].map(|reference| request(reference, start));
        asker.try_send(first.clone()).unwrap();
        assert!(desk.wants(start, &first));
        asker.try_send(second.clone()).unwrap();
        assert!(!desk.wants(start, &first));
        desk.answered(&first);
        assert!(desk.wants(start, &second));
        desk.answered(&second);
        assert_eq!(desk.wanted(start), None);
    }
}
